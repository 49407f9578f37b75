//! Many small packages, for runs where requests count and bytes do not.

use std::path::Path;

use super::{Channel, ChannelBuilder};
use crate::package::{Fill, PackageSpec};

/// What a package without payload weighs, about.
const BARE: u64 = 2_400;

/// `builds` packages of about `bytes` each (at least 3 kB), all of different names, in linux-64; `noarch` is empty.
pub fn bulk(dir: impl AsRef<Path>, builds: usize, bytes: u64) -> anyhow::Result<Channel> {
    bulk_of(dir, builds, builds, bytes)
}

/// `builds` packages of about `bytes` each, spread over `names` names: version after version of each.
pub fn bulk_of(
    dir: impl AsRef<Path>,
    names: usize,
    builds: usize,
    bytes: u64,
) -> anyhow::Result<Channel> {
    let names = names.clamp(1, builds.max(1));
    let mut builder = ChannelBuilder::new(dir).subdir("linux-64").subdir("noarch");
    for number in 0..builds {
        let name = format!("bulk-{:05}", number % names);
        let version = format!("1.{}", number / names);
        let spec = PackageSpec::new(&name, &version, "h0_0")
            .payload(bytes.saturating_sub(BARE), Fill::Random);
        builder = builder.package(spec);
    }
    builder.build()
}
