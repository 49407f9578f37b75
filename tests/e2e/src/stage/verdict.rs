//! What a stage's destination holds, and whether that is a complete and exact mirror of its channel.

use std::collections::BTreeSet;

use mirror_kit::channel::MadeFile;
use mirror_kit::fake_registry::RegistryView;
use serde_json::Value;

use super::{Destination, Stage};
use crate::stored::{self, package_media_type};

impl Stage {
    /// The files of the channel whose manifest in `view` names them by their sha256, with the blob there.
    #[must_use]
    pub fn held(&self, view: &RegistryView) -> BTreeSet<String> {
        let files = self.channel.files.iter().filter(|file| file.representable);
        files
            .filter(|file| self.is_held(view, file))
            .map(|file| file.file_name.clone())
            .collect()
    }

    fn is_held(&self, view: &RegistryView, file: &MadeFile) -> bool {
        let (repository, tag) = self.place(file);
        let digest = format!("sha256:{}", file.sha256);
        let Some(manifest) = view.manifest_json(&repository, &tag) else {
            return false;
        };
        let named = stored::digest_of_layer(&manifest, package_media_type(&file.file_name));
        named == Some(digest.clone()) && view.blob_size(&repository, &digest) == Some(file.size)
    }

    /// Checks the indexes as they stand between two publications: a file that upstream has replaced since the last one
    /// may be listed with its old hash, for its tag may already hold the new content.
    ///
    /// # Panics
    /// If a published index names anything else that the destination does not hold.
    pub fn assert_indexes_exact(&self) {
        let view = self.view();
        for subdir in ["linux-64", "noarch"] {
            if view.index(&self.subdir(subdir)).is_none() {
                continue;
            }
            let mut breaches = view.index_breaches(&self.subdir(subdir));
            breaches.retain(|breach| !self.is_about_a_replaced_file(&view, subdir, breach));
            assert!(breaches.is_empty(), "{subdir}: {breaches:#?}");
        }
    }

    fn is_about_a_replaced_file(&self, view: &RegistryView, subdir: &str, breach: &str) -> bool {
        let Some((name, _)) = breach.split_once(": listed with") else {
            return false;
        };
        let file = self
            .channel
            .files
            .iter()
            .find(|file| file.file_name == name);
        let listed = record_in(view.index(&self.subdir(subdir)), name);
        file.zip(listed)
            .is_some_and(|(file, listed)| listed["sha256"] != *file.sha256)
    }

    /// # Panics
    /// If anything is missing: a file or a byte of one (yanked files are archived as well), a record of an index, or
    /// if an index names more than upstream's, or if any publication was wrong when it happened.
    pub fn assert_complete(&self) {
        let view = self.view();
        for file in self.channel.files.iter().filter(|file| file.representable) {
            let (repository, tag) = self.place(file);
            let media_type = package_media_type(&file.file_name);
            let (_, bytes) = view
                .layer(&repository, &tag, media_type)
                .unwrap_or_else(|| panic!("{repository}:{tag} has no layer {media_type}"));
            let upstream = file.bytes().expect("the channel's file can be read");
            assert!(bytes == upstream, "{} has other bytes", file.file_name);
        }
        for subdir in ["linux-64", "noarch"] {
            let breaches = view.index_breaches(&self.subdir(subdir));
            assert!(breaches.is_empty(), "{subdir}: {breaches:#?}");
            let wanted: BTreeSet<String> = self
                .channel
                .mirrored()
                .filter(|file| file.subdir == subdir)
                .map(|file| file.file_name.clone())
                .collect();
            assert_eq!(view.index_files(&self.subdir(subdir)), wanted, "{subdir}");
        }
        self.assert_publications_passed();
    }

    /// # Panics
    /// If any publication so far was wrong when it happened.
    pub fn assert_publications_passed(&self) {
        if let Destination::Registry(registry) = &self.destination {
            registry.assert_hooks_passed();
        }
    }

    /// The record of a file in the published index.
    #[must_use]
    pub fn record(&self, subdir: &str, file: &str) -> Option<Value> {
        record_in(self.view().index(&self.subdir(subdir)), file)
    }
}

fn record_in(index: Option<Value>, file: &str) -> Option<Value> {
    let index = index?;
    let mut sections = ["packages", "packages.conda"].into_iter();
    sections.find_map(|section| index[section].get(file).cloned())
}
