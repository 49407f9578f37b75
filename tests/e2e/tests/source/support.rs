//! Addresses of mirrors as sources, channels to mirror, and pulls of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Home, Run};
use serde_json::Value;

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

/// `pull-cache` of a channel into a folder.
pub(crate) fn pull(home: &Home, channel: &str, registry: &str, cache: &Path) -> Run {
    Run::in_home(home)
        .args(["pull-cache", "--channel", channel, "--registry", registry])
        .arg("--cache-dir")
        .arg(cache)
}

/// The same from a stage's registry, of linux-64.
pub(crate) fn pull_from(stage: &Stage, home: &Home, cache: &Path) -> Run {
    let registry = format!("{}/{NAMESPACE}", stage.fake().url());
    pull(home, &stage.channel.name, &registry, cache).args(["-s", "linux-64"])
}

/// The packages of a subdir of the pulled folder.
pub(crate) fn packages(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names
        .filter(|name| name.ends_with(".conda") || name.ends_with(".tar.bz2"))
        .collect()
}

/// The packages that the plain index of the folder lists.
pub(crate) fn indexed(folder: &Path) -> BTreeSet<String> {
    let index = std::fs::read(folder.join("repodata.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let plain = ["packages", "packages.conda"]
        .into_iter()
        .filter_map(|section| index[section].as_object())
        .flat_map(|section| section.keys().cloned());
    let later = ["conda", "tar.bz2"].into_iter().flat_map(|format| {
        let records = index["v3"][format].as_object().into_iter();
        records.flat_map(move |records| records.keys().map(move |stem| format!("{stem}.{format}")))
    });
    plain.chain(later).collect()
}

/// Whether anything unfinished is left below the folder.
pub(crate) fn has_leftovers(folder: &Path) -> bool {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        entry.file_name().to_string_lossy().starts_with(".tmp-")
            || (entry.path().is_dir() && has_leftovers(&entry.path()))
    })
}
