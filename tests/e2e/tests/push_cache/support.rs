//! A folder of own builds, and what pushes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;

use mirror_e2e::mirror::command;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::{MadePackage, PackageSpec};
use mirror_kit::process::{Home, Run};
use tempfile::TempDir;

/// The channel that stages mirror; own builds are pushed into it.
pub(crate) const CHANNEL: &str = "channel";

/// The file of [`own`].
pub(crate) fn file(name: &str) -> String {
    format!("{name}-1.0-0.conda")
}

/// The files of packages of those names.
pub(crate) fn files<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(file).collect()
}

/// A package for linux-64.
pub(crate) fn own(name: &str) -> PackageSpec {
    PackageSpec::new(name, "1.0", "0")
}

/// A channel with a package of each name in linux-64 and an empty `noarch`.
pub(crate) fn named(
    names: &'static [&'static str],
) -> impl FnOnce(PathBuf) -> anyhow::Result<Channel> {
    move |dir: PathBuf| {
        let builder = ChannelBuilder::new(dir).subdir("linux-64").subdir("noarch");
        let packages = names.iter().map(|name| own(name));
        packages.fold(builder, ChannelBuilder::package).build()
    }
}

/// A `--cache-dir` with own builds.
pub(crate) struct Cache(pub TempDir);

impl Cache {
    /// With these packages for linux-64.
    pub(crate) fn of(specs: impl IntoIterator<Item = PackageSpec>) -> Self {
        let cache = Self(tempfile::tempdir().unwrap());
        for spec in specs {
            cache.add(spec);
        }
        cache
    }

    pub(crate) fn folder(&self, subdir: &str) -> PathBuf {
        let folder = self.0.path().join(CHANNEL).join(subdir);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub(crate) fn add(&self, spec: PackageSpec) -> MadePackage {
        spec.write(&self.folder("linux-64")).unwrap()
    }

    /// `push-cache` of all of it.
    pub(crate) fn push(&self, home: &Home, registry: impl AsRef<str>) -> Run {
        command("push-cache", home, CHANNEL, registry)
            .arg("--cache-dir")
            .arg(self.0.path())
    }

    /// The same into a stage's registry, of linux-64.
    pub(crate) fn push_to(&self, stage: &Stage, home: &Home) -> Run {
        let to = format!("{}/{NAMESPACE}", stage.fake().url());
        self.push(home, to).args(["--subdir", "linux-64"])
    }

    /// Content and time of every file, to see that none changed.
    pub(crate) fn seen(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let (mut seen, mut folders) = (BTreeMap::new(), vec![self.0.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
                let content = match path.is_dir() {
                    true => Vec::new(),
                    false => std::fs::read(&path).unwrap(),
                };
                if path.is_dir() {
                    folders.push(path.clone());
                }
                seen.insert(path, (content, changed));
            }
        }
        seen
    }
}

/// The files that the index of linux-64 lists.
pub(crate) fn indexed(stage: &Stage) -> BTreeSet<String> {
    stage.view().index_files(&stage.subdir("linux-64"))
}

/// What the index says of a file's content.
pub(crate) fn sha256(stage: &Stage, file: &str) -> Option<String> {
    let record = stage.record("linux-64", file)?;
    Some(record["sha256"].as_str().unwrap().to_owned())
}

/// # Panics
/// If an index names what the registry does not hold, now or when it was published.
pub(crate) fn assert_exact(stage: &Stage) {
    for subdir in ["linux-64", "noarch"] {
        let breaches = stage.view().index_breaches(&stage.subdir(subdir));
        assert!(breaches.is_empty(), "{subdir}: {breaches:#?}");
    }
    stage.assert_publications_passed();
}
