//! What the tests of the command line share.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::package::{Fill, PackageSpec};
use mirror_kit::process::{Home, Run};

/// `zlib` (two versions), `zstd` and `mkl` in linux-64; `noarch` is empty.
pub(crate) fn four_packages(dir: impl AsRef<Path>) -> anyhow::Result<Channel> {
    let package = |name: &str, version: &str| {
        PackageSpec::new(name, version, "h0_0").payload(3_000, Fill::Random)
    };
    ChannelBuilder::new(dir)
        .subdir("linux-64")
        .subdir("noarch")
        .package(package("zlib", "1.2.13"))
        .package(package("zlib", "1.3.1"))
        .package(package("zstd", "1.5.6"))
        .package(package("mkl", "2025.0"))
        .build()
}

/// An address where nobody listens.
pub(crate) fn nobody_listens() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A run of `conda-oci mirror` that reaches this machine only.
pub(crate) fn mirror_offline(home: &Home) -> Run {
    let nobody = nobody_listens();
    Run::in_home(home)
        .arg("mirror")
        .env("HTTPS_PROXY", &nobody)
        .env("HTTP_PROXY", &nobody)
        .env("NO_PROXY", "127.0.0.1")
}

/// How many packages were asked of the channel.
pub(crate) fn downloads(source: &FakeChannel) -> usize {
    source.count(|request| request.path.ends_with(".conda"))
}

/// The names of some files.
pub(crate) fn files(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|file| (*file).to_owned()).collect()
}

/// The files that the index of linux-64 lists.
pub(crate) fn indexed(stage: &Stage) -> BTreeSet<String> {
    stage.view().index_files(&stage.subdir("linux-64"))
}

/// Mirrors with these arguments into a registry of its own: what is held, indexed and asked of the channel is exactly
/// `expected`.
pub(crate) async fn assert_mirrored_of(
    make: impl FnOnce(PathBuf) -> anyhow::Result<Channel>,
    arguments: &[&str],
    expected: &[&str],
) {
    let stage = Stage::registry(make).await;
    stage.run().args(arguments).run().await.assert_code(0);
    let expected = files(expected);
    assert_eq!(stage.held(&stage.view()), expected, "{arguments:?}");
    assert_eq!(indexed(&stage), expected, "{arguments:?}");
    let asked: BTreeSet<String> = stage.downloads().into_keys().collect();
    assert_eq!(asked, expected, "{arguments:?}");
    stage.assert_indexes_exact();
}
