//! Runs on disks of their own, and what they say.

use std::path::{Path, PathBuf};

use mirror_e2e::folder_view::view_of_folder;
use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::NAMESPACE;
use mirror_kit::channel::{Channel, bulk};
use mirror_kit::fake_registry::RegistryView;
use mirror_kit::process::{Disks, Finished, Home, Run};
use tempfile::TempDir;

/// An empty folder of this name in a home.
pub(crate) fn folder_in(home: &Home, name: &str) -> PathBuf {
    let folder = home.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// One line of what the run said has all of `parts`; and nothing in it panicked.
#[track_caller]
pub(crate) fn assert_says(finished: &Finished, parts: &[&str]) {
    let said = &finished.stderr;
    assert!(!said.contains("panicked"), "{}", finished.to_text());
    let line = said
        .lines()
        .find(|line| parts.iter().all(|part| line.contains(part)));
    assert!(
        line.is_some(),
        "no line with {parts:?} in\n{}",
        finished.to_text()
    );
}

/// A channel folder that is mirrored into a folder on disks of its own.
pub(crate) struct InFolder {
    pub(crate) channel: Channel,
    pub(crate) home: Home,
    pub(crate) disks: Disks,
    dir: TempDir,
}

impl InFolder {
    /// A channel of so many packages of so many bytes.
    pub(crate) fn of(packages: usize, bytes: u64) -> Self {
        let dir = TempDir::new().unwrap();
        let channel = bulk(dir.path().join("many"), packages, bytes).unwrap();
        std::fs::create_dir(dir.path().join("mirror")).unwrap();
        Self {
            channel,
            home: Home::new(),
            disks: Disks::new(),
            dir,
        }
    }

    /// Where the mirror goes.
    pub(crate) fn mirror(&self) -> PathBuf {
        self.dir.path().join("mirror")
    }

    pub(crate) fn run(&self) -> Run {
        let (from, to) = (self.channel.dir.display(), self.mirror());
        let to = format!("oci:{}", to.display());
        mirror(&self.home, from.to_string(), to).on(&self.disks)
    }

    fn view(&self) -> RegistryView {
        view_of_folder(&self.disks.seen(&self.mirror()), NAMESPACE)
    }

    /// The files that the published index of linux-64 lists; it names nothing that is not held. `None` where nothing
    /// is published.
    pub(crate) fn assert_exact(&self) -> Option<usize> {
        let view = self.view();
        let subdir = format!("{NAMESPACE}/many/linux-64");
        view.index(&subdir)?;
        let breaches = view.index_breaches(&subdir);
        assert!(breaches.is_empty(), "{breaches:#?}");
        Some(view.index_files(&subdir).len())
    }

    /// The same command completes now.
    pub(crate) async fn assert_completes(&self, run: Run) {
        run.run().await.assert_code(0);
        assert_eq!(self.assert_exact(), Some(self.channel.files.len()));
    }
}

/// A path as the tests look for it in a message.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
