//! A channel to choose from: versions that sort in no simple way, both formats, several builds, two licences.

use std::path::Path;

use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::{Fill, Format::TarBz2, PackageSpec};
use serde_json::json;

pub(crate) const PY39: &str = "python-3.9.20-h1_0.conda";
pub(crate) const PY310: [&str; 3] = [
    "python-3.10.15-h1_0.conda",
    "python-3.10.15-h1_0.tar.bz2",
    "python-3.10.15-h2_1.conda",
];
pub(crate) const PY313_RC: &str = "python-3.13.0rc1-h1_0.conda";
pub(crate) const PY313: &str = "python-3.13.0-h1_0.conda";
pub(crate) const ZLIB_OLD: &str = "zlib-1.2.13-h1_0.tar.bz2";
/// One version in two spellings.
pub(crate) const ZLIB: [&str; 2] = ["zlib-1.3-h1_0.conda", "zlib-1.3.0-h1_1.conda"];
/// With an MIT licence.
pub(crate) const TZDATA: &str = "tzdata-2024a-0.conda";
/// With 60 kB; the others have some three.
pub(crate) const MKL: &str = "mkl-2025.0-h0_0.conda";

/// All of them.
pub(crate) const EVERYTHING: [&str; 11] = [
    PY39, PY310[0], PY310[1], PY310[2], PY313_RC, PY313, ZLIB_OLD, ZLIB[0], ZLIB[1], TZDATA, MKL,
];

/// [`EVERYTHING`] in linux-64; `noarch` is empty.
pub(crate) fn catalogue(dir: impl AsRef<Path>) -> anyhow::Result<Channel> {
    let package = |name: &str, version: &str, build: &str| {
        PackageSpec::new(name, version, build).payload(600, Fill::Random)
    };
    ChannelBuilder::new(dir)
        .subdir("noarch")
        .package(package("python", "3.9.20", "h1_0"))
        .package(package("python", "3.10.15", "h1_0"))
        .package(package("python", "3.10.15", "h1_0").format(TarBz2))
        .package(package("python", "3.10.15", "h2_1"))
        .package(package("python", "3.13.0rc1", "h1_0"))
        .package(package("python", "3.13.0", "h1_0"))
        .package(package("zlib", "1.2.13", "h1_0").format(TarBz2))
        .package(package("zlib", "1.3", "h1_0"))
        .package(package("zlib", "1.3.0", "h1_1"))
        .package(package("tzdata", "2024a", "0").index_field("license", json!("MIT")))
        .package(package("mkl", "2025.0", "h0_0").payload(60_000, Fill::Random))
        .build()
}
