//! What the tests of the command line share.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

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
