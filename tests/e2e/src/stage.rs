//! A channel, its server, a destination and a home: what most tests set up, and what a complete mirror of it must be.

mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use mirror_kit::channel::{Channel, MadeFile, oci_name};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::fake_registry::{FakeRegistry, Options, RegistryView};
use mirror_kit::process::{Home, Run};
use tempfile::TempDir;

use crate::folder_view::view_of_folder;
use crate::mirror::command;

/// The namespace that mirrors into a registry are given.
pub const NAMESPACE: &str = "ns";

/// Where a stage's mirror goes.
enum Destination {
    Registry(Box<FakeRegistry>),
    Folder,
}

/// One of everything. All of it goes when this is dropped.
pub struct Stage {
    /// The channel on disk.
    pub channel: Channel,
    /// The channel's server.
    pub source: FakeChannel,
    /// Where ledgers live.
    pub home: Home,
    destination: Destination,
    folder: TempDir,
}

impl Stage {
    /// A registry, with each publication checked as it happens.
    ///
    /// # Panics
    /// If the channel cannot be made or served.
    pub async fn registry(make: impl FnOnce(PathBuf) -> anyhow::Result<Channel>) -> Self {
        Self::registry_with(Options::default(), make).await
    }

    /// A registry that behaves so.
    ///
    /// # Panics
    /// Like [`Stage::registry`].
    pub async fn registry_with(
        options: Options,
        make: impl FnOnce(PathBuf) -> anyhow::Result<Channel>,
    ) -> Self {
        let registry = FakeRegistry::start_with(options);
        registry.on_manifest_put(|view, repository, tag| {
            let Some(subdir) = repository.strip_suffix("/repodata.json") else {
                return;
            };
            if tag == "latest" {
                let breaches = view.index_breaches(subdir);
                assert!(breaches.is_empty(), "published {subdir}: {breaches:#?}");
            }
        });
        Self::new(Destination::Registry(Box::new(registry)), make).await
    }

    /// A folder of image layouts.
    ///
    /// # Panics
    /// Like [`Stage::registry`].
    pub async fn folder(make: impl FnOnce(PathBuf) -> anyhow::Result<Channel>) -> Self {
        Self::new(Destination::Folder, make).await
    }

    async fn new(
        destination: Destination,
        make: impl FnOnce(PathBuf) -> anyhow::Result<Channel>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let channel = make(folder.path().join("channel")).expect("the channel can be made");
        let source = FakeChannel::start(&channel.dir).await;
        Self {
            source: source.expect("the channel can be served"),
            channel,
            home: Home::new(),
            destination,
            folder,
        }
    }

    /// `conda-oci mirror` of linux-64 (and so noarch).
    #[must_use]
    pub fn run(&self) -> Run {
        self.run_in(&self.home)
    }

    /// The same with the ledger of another home.
    #[must_use]
    pub fn run_in(&self, home: &Home) -> Run {
        self.command_in("mirror", home)
    }

    /// The same of another command with the options of `mirror`.
    #[must_use]
    pub fn command_in(&self, name: &str, home: &Home) -> Run {
        let to = match &self.destination {
            Destination::Registry(registry) => format!("{}/{NAMESPACE}", registry.url()),
            Destination::Folder => format!("oci:{}", self.mirror_folder().display()),
        };
        command(name, home, self.source.url(), to).args(["--subdir", "linux-64"])
    }

    /// The folder of image layouts, where the mirror goes to one.
    #[must_use]
    pub fn mirror_folder(&self) -> PathBuf {
        self.folder.path().join("mirror")
    }

    /// The registry.
    ///
    /// # Panics
    /// If the mirror goes to a folder.
    #[must_use]
    pub fn fake(&self) -> &FakeRegistry {
        match &self.destination {
            Destination::Registry(registry) => registry,
            Destination::Folder => panic!("this stage's mirror goes to a folder"),
        }
    }

    /// What the destination holds now. Of a folder, a copy.
    #[must_use]
    pub fn view(&self) -> RegistryView {
        match &self.destination {
            Destination::Registry(registry) => registry.view(),
            Destination::Folder => view_of_folder(&self.mirror_folder(), NAMESPACE),
        }
    }

    /// A subdir in the registry.
    #[must_use]
    pub fn subdir(&self, subdir: &str) -> String {
        format!("{NAMESPACE}/{}/{subdir}", self.channel.name)
    }

    /// The repository and tag of a file.
    ///
    /// # Panics
    /// If it has no place in the layout.
    #[must_use]
    pub fn place(&self, file: &MadeFile) -> (String, String) {
        let name = oci_name(&file.file_name)
            .unwrap_or_else(|| panic!("{} has no place in the layout", file.file_name));
        let repository = format!("{}/{}", self.subdir(&file.subdir), name.component);
        (repository, name.tag)
    }

    /// How often each file was asked of the channel.
    #[must_use]
    pub fn downloads(&self) -> BTreeMap<String, usize> {
        let mut downloads = BTreeMap::new();
        for request in self.source.requests() {
            let file = request.path.rsplit('/').next().unwrap_or_default();
            if file.ends_with(".conda") || file.ends_with(".tar.bz2") {
                *downloads.entry(file.to_owned()).or_default() += 1;
            }
        }
        downloads
    }

    /// How often one file was asked of the channel.
    #[must_use]
    pub fn downloads_of(&self, file: &str) -> usize {
        self.downloads().get(file).copied().unwrap_or(0)
    }

    /// Everything that was ever written to the destination: requests to a registry, or the files of a folder with their
    /// times. Equal before and after a run that wrote nothing.
    ///
    /// # Panics
    /// If the folder cannot be listed.
    #[must_use]
    pub fn written(&self) -> BTreeSet<String> {
        match &self.destination {
            Destination::Registry(registry) => {
                let writes = registry.log().select(|entry| entry.kind.is_write());
                writes.iter().map(ToString::to_string).collect()
            }
            Destination::Folder => files_below(self.mirror_folder())
                .iter()
                .map(|path| {
                    let metadata = std::fs::metadata(path).expect("a file can be looked at");
                    let changed = metadata.modified().expect("a file has a time");
                    format!("{} {changed:?}", path.display())
                })
                .collect(),
        }
    }

    /// Takes everything away from the destination.
    ///
    /// # Panics
    /// If the folder cannot be removed.
    pub fn empty_destination(&self) {
        match &self.destination {
            Destination::Registry(registry) => registry.delete_all(),
            Destination::Folder => {
                std::fs::remove_dir_all(self.mirror_folder()).expect("the folder can be removed");
            }
        }
    }

    /// Files in transit that a run left in this home's spool.
    #[must_use]
    pub fn spooled(&self) -> Vec<PathBuf> {
        files_below(self.home.path().join("state/conda-oci/spool"))
    }

    /// The registry's log, for the message of a failed assertion.
    #[must_use]
    pub fn log(&self) -> String {
        match &self.destination {
            Destination::Registry(registry) => registry.log().to_text(),
            Destination::Folder => String::new(),
        }
    }
}

/// All files below a folder; none if it is not there.
fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => found.push(path),
            }
        }
    }
    found
}
