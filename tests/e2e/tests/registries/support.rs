//! What the tests of registries share.

use std::path::Path;

use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::{Fill, Format, PackageSpec};
use mirror_kit::process::Home;

pub(crate) const USER: &str = "robot";
pub(crate) const PASSWORD: &str = "hunter2-correct-horse";

/// Two names, both formats, one version with a `+`, and a package of some megabytes.
pub(crate) fn some_packages(dir: impl AsRef<Path>) -> anyhow::Result<Channel> {
    let package = |name: &str, version: &str, bytes: u64| {
        PackageSpec::new(name, version, "h0_0").payload(bytes, Fill::Random)
    };
    ChannelBuilder::new(dir)
        .subdir("linux-64")
        .subdir("noarch")
        .package(package("zlib", "1.3.1", 3_000))
        .package(package("zlib", "1.3.1+1", 3_000))
        .package(package("zlib", "1.3.1", 3_000).format(Format::TarBz2))
        .package(package("large", "1.0", 6_000_000))
        .package(package("_mutex", "0.1", 2_000))
        .build()
}

/// `auths` with one login, as `docker login` writes it.
pub(crate) fn docker_config(key: &str, password: &str) -> String {
    format!(r#"{{"auths": {{"{key}": {{"username": "{USER}", "password": "{password}"}}}}}}"#)
}

/// Puts `text` into a file of the home.
pub(crate) fn write(home: &Home, file: &str, text: &str) -> std::path::PathBuf {
    let path = home.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}
