//! Addresses of mirrors as sources, and channels to mirror.

use std::path::PathBuf;

use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::PackageSpec;

/// The address of a channel in a registry (`http://host:port`), as a source.
pub(crate) fn oci(url: &str, path: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    format!("oci+http://{host}/{path}")
}

/// The address of what a stage mirrored into its registry.
pub(crate) fn mirrored(stage: &Stage) -> String {
    let path = format!("{NAMESPACE}/{}", stage.channel.name);
    oci(&stage.fake().url(), &path)
}

/// A package of each name in linux-64; `noarch` is empty.
pub(crate) fn named(
    names: &'static [&'static str],
) -> impl FnOnce(PathBuf) -> anyhow::Result<Channel> {
    move |dir: PathBuf| {
        let builder = ChannelBuilder::new(dir).subdir("linux-64").subdir("noarch");
        let packages = names.iter().map(|name| PackageSpec::new(name, "1.0", "0"));
        packages.fold(builder, ChannelBuilder::package).build()
    }
}

/// The file of a package of [`named`].
pub(crate) fn file(name: &str) -> String {
    format!("{name}-1.0-0.conda")
}

/// The repository of the index of linux-64.
pub(crate) fn index_repository(stage: &Stage) -> String {
    format!("{}/repodata.json", stage.subdir("linux-64"))
}
