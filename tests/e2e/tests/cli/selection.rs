//! `--package` and `--subdir`: what is mirrored, and that the index lists exactly that.

use std::collections::BTreeSet;

use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::Finished;

use crate::support::{assert_mirrored_of, four_packages, indexed};

const ZLIBS: [&str; 2] = ["zlib-1.2.13-h0_0.conda", "zlib-1.3.1-h0_0.conda"];
const ZSTD: &str = "zstd-1.5.6-h0_0.conda";
const MKL: &str = "mkl-2025.0-h0_0.conda";

async fn assert_mirrored(arguments: &[&str], expected: &[&str]) {
    assert_mirrored_of(four_packages, arguments, expected).await;
}

#[tokio::test]
async fn a_name_selects_every_version_of_it_and_nothing_that_begins_alike() {
    assert_mirrored(&["--package", "zlib"], &ZLIBS).await;
}

#[tokio::test]
async fn patterns_add_up_and_match_whole_names() {
    assert_mirrored(&["-p", "z?td", "-p", "MKL"], &[ZSTD, MKL]).await;
    assert_mirrored(&["-p", "z*"], &[ZLIBS[0], ZLIBS[1], ZSTD]).await;
    assert_mirrored(&["-p", "lib*"], &[]).await;
}

#[tokio::test]
async fn all_and_nothing_said_select_every_package() {
    let every = [ZLIBS[0], ZLIBS[1], ZSTD, MKL];
    assert_mirrored(&[], &every).await;
    assert_mirrored(&["-p", "all"], &every).await;
    assert_mirrored(&["-p", "zlib", "-p", "all"], &every).await;
}

fn three_subdirs(dir: impl AsRef<std::path::Path>) -> anyhow::Result<Channel> {
    let package = |name: &str| PackageSpec::new(name, "1.0", "0");
    ChannelBuilder::new(dir)
        .package(package("linux"))
        .package(package("mac").subdir("osx-arm64"))
        .package(package("everywhere").noarch())
        .build()
}

#[tokio::test]
async fn without_a_choice_every_subdir_that_the_channel_serves_is_mirrored() {
    let stage = Stage::registry(three_subdirs).await;
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    let finished = mirror(&stage.home, stage.source.url(), to).run().await;
    finished.assert_code(0);
    for (subdir, file) in [
        ("linux-64", "linux-1.0-0.conda"),
        ("osx-arm64", "mac-1.0-0.conda"),
        ("noarch", "everywhere-1.0-0.conda"),
    ] {
        let listed = stage.view().index_files(&stage.subdir(subdir));
        assert_eq!(listed, BTreeSet::from([file.to_owned()]), "{subdir}");
    }
    let subdirs: BTreeSet<String> = stage
        .fake()
        .repositories()
        .iter()
        .map(|repository| repository.split('/').nth(2).unwrap().to_owned())
        .collect();
    assert_eq!(subdirs.len(), 3, "{subdirs:?}");
}

#[tokio::test]
async fn chosen_subdirs_bring_noarch_and_no_other() {
    let stage = Stage::registry(three_subdirs).await;
    stage.run().run().await.assert_code(0);
    let held = stage.held(&stage.view());
    assert!(
        held.contains("everywhere-1.0-0.conda") && !held.contains("mac-1.0-0.conda"),
        "{held:?}"
    );
    assert_eq!(stage.view().index(&stage.subdir("osx-arm64")), None);
}

#[tokio::test]
async fn a_subdir_that_the_channel_does_not_serve_is_said_and_the_others_are_mirrored() {
    let stage = Stage::registry(three_subdirs).await;
    let finished = stage.run().args(["-s", "win-64"]).run().await;
    finished.assert_code(2);
    let says = "does not serve subdir `win-64`";
    assert!(finished.stderr.contains(says), "{}", finished.to_text());
    assert_eq!(indexed(&stage).len(), 1);
}

#[tokio::test]
async fn a_pattern_that_is_about_no_package_is_said_whatever_the_others_select() {
    let said = |finished: &Finished| -> Vec<String> {
        let about = finished.stderr.lines().filter_map(|line| {
            let (_, about) = line.split_once("no package of the channel ")?;
            Some(about.to_owned())
        });
        about.collect()
    };
    for (arguments, expected) in [
        (
            &["-p", "zlib", "-p", "zlip", "-p", "q*"][..],
            &["matches zlip", "matches q*"][..],
        ),
        (&["-p", "zlib >=99", "-p", "zstd"], &["matches zlib >=99"]),
        (
            &["-p", "mkl", "--exclude", "mkl"],
            &["is left by the filters"],
        ),
        (&["--max-size", "1"], &["is left by the filters"]),
        (&["-p", "zlip"], &["matches zlip"]),
        (&[], &[]),
    ] {
        let stage = Stage::registry(four_packages).await;
        let finished = stage.run().args(arguments).run().await;
        finished.assert_code(0);
        assert_eq!(said(&finished), expected, "{}", finished.to_text());
    }
}
