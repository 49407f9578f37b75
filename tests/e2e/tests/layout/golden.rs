//! One build's manifest digests, written down. A change here makes every registry's manifests be written anew: bump
//! nothing without meaning to.

use mirror_kit::channel::{ChannelBuilder, Listing};
use mirror_kit::package::{Fill, Format, PackageSpec};
use tempfile::TempDir;

use super::Mirrored;

/// What the kit makes; if these change, the packages changed and not the layout.
const CONDA_SHA256: &str = "279a2a8b250c490f682618aa0190e24451c11fcc360eca39fb5e84d6345c8dae";
const TAR_BZ2_SHA256: &str = "7306032f3dce3221eda68f29716af311b62bceeda24412340f245fe9778515aa";
/// The manifest with the `.conda` alone.
const CONDA: &str = "sha256:9079d3961d16306e76e5a5b10d42fc28319e8bbfa726edb666b0cce76f583be9";
/// The manifest with the `.tar.bz2` alone.
const TAR_BZ2: &str = "sha256:72769d8b70cda3c1bd1991eb581a3b5498e80cda8c28f1aab994454ee6cd72dc";
/// The manifest with both.
const BOTH: &str = "sha256:ced53c89cdac16fa5cab2e29402e0e7ffe20b5e85a838d7defe63cf507aa6358";

fn conda() -> PackageSpec {
    PackageSpec::new("golden", "1!2.0+rc1", "h0_3")
        .timestamp(1_790_812_800_000)
        .depends("libgcc >=13")
        .script("bin/golden", "#!/bin/sh\necho golden\n")
        .payload(5_000, Fill::Random)
}

/// Its `info/` differs, so that it shows whose is taken.
fn tar_bz2() -> PackageSpec {
    conda()
        .format(Format::TarBz2)
        .info_file("info/old", b"what only the older format has\n")
}

async fn mirrored_first(spec: PackageSpec) -> Mirrored {
    let dir = TempDir::new().unwrap();
    let builder = ChannelBuilder::new(dir.path().join("gold")).package(spec);
    let mirrored = Mirrored::nothing_yet(dir, builder.build().unwrap()).await;
    mirrored.run(&[]).await;
    mirrored
}

async fn add(mirrored: &mut Mirrored, spec: PackageSpec) {
    mirrored.channel.add(spec, Listing::indexed()).unwrap();
    mirrored.run(&[]).await;
}

fn digest(mirrored: &Mirrored) -> String {
    let repository = mirrored.repository("linux-64", "golden");
    assert_eq!(
        mirrored.registry.tags(&repository),
        ["1__e__2.0__p__rc1-h0_3"]
    );
    let manifest = mirrored
        .registry
        .manifest(&repository, "1__e__2.0__p__rc1-h0_3");
    manifest.unwrap().digest
}

#[tokio::test]
async fn a_build_has_the_manifest_it_has_always_had() {
    let mut conda_first = mirrored_first(conda()).await;
    let made = |mirrored: &Mirrored| mirrored.channel.files[0].sha256.clone();
    assert_eq!(
        made(&conda_first),
        CONDA_SHA256,
        "the kit makes another .conda"
    );
    assert_eq!(digest(&conda_first), CONDA);
    add(&mut conda_first, tar_bz2()).await;
    assert_eq!(digest(&conda_first), BOTH);

    let mut tar_bz2_first = mirrored_first(tar_bz2()).await;
    assert_eq!(
        made(&tar_bz2_first),
        TAR_BZ2_SHA256,
        "the kit makes another .tar.bz2"
    );
    assert_eq!(digest(&tar_bz2_first), TAR_BZ2);
    add(&mut tar_bz2_first, conda()).await;
    assert_eq!(digest(&tar_bz2_first), BOTH);
}

#[tokio::test]
async fn two_formats_that_come_at_once_make_the_manifest_of_those_that_come_in_turn() {
    let dir = TempDir::new().unwrap();
    let builder = ChannelBuilder::new(dir.path().join("gold"));
    let builder = builder.package(tar_bz2()).package(conda());
    let mirrored = Mirrored::nothing_yet(dir, builder.build().unwrap()).await;
    mirrored.run(&[]).await;
    assert_eq!(digest(&mirrored), BOTH);
}

#[tokio::test]
async fn a_format_that_upstream_takes_back_stays_in_the_manifest() {
    let mut mirrored = mirrored_first(conda()).await;
    add(&mut mirrored, tar_bz2()).await;
    mirrored.channel.remove(&conda().file_name()).unwrap();
    mirrored.run(&[]).await;
    assert_eq!(digest(&mirrored), BOTH);
    let index = mirrored.registry.index_files("ns/gold/linux-64");
    assert_eq!(
        index.into_iter().collect::<Vec<_>>(),
        [tar_bz2().file_name()]
    );
}
