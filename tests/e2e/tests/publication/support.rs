//! Channels of one-file builds, and a look at what is published.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::PackageSpec;

/// The file of a package of [`named`].
pub(crate) fn file(name: &str) -> String {
    format!("{name}-1.0-0.conda")
}

/// The files of packages of [`named`].
pub(crate) fn files<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(file).collect()
}

/// A package of each name in linux-64; `noarch` is empty.
pub(crate) fn named(
    names: &'static [&'static str],
) -> impl FnOnce(PathBuf) -> anyhow::Result<Channel> {
    move |dir: PathBuf| build(&dir, names.iter().map(|name| (*name).to_owned()))
}

/// So many packages of different names in linux-64; `noarch` is empty.
pub(crate) fn many(count: usize) -> impl FnOnce(PathBuf) -> anyhow::Result<Channel> {
    move |dir: PathBuf| build(&dir, (0..count).map(|number| format!("p{number:03}")))
}

fn build(dir: &Path, names: impl Iterator<Item = String>) -> anyhow::Result<Channel> {
    let builder = ChannelBuilder::new(dir).subdir("linux-64").subdir("noarch");
    let packages = names.map(|name| PackageSpec::new(&name, "1.0", "0"));
    packages.fold(builder, ChannelBuilder::package).build()
}

/// The files that the index of linux-64 lists.
pub(crate) fn indexed(stage: &Stage) -> BTreeSet<String> {
    stage.view().index_files(&stage.subdir("linux-64"))
}

/// The repository of the index of linux-64.
pub(crate) fn index_repository(stage: &Stage) -> String {
    format!("{}/repodata.json", stage.subdir("linux-64"))
}

/// The digest of the manifest at `latest` of linux-64.
pub(crate) fn latest(stage: &Stage) -> Option<String> {
    Some(
        stage
            .view()
            .manifest(&index_repository(stage), "latest")?
            .digest,
    )
}
