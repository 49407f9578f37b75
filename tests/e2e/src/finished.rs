//! Files that were finished when a process died, and whether they stayed so.
//!
//! A file is *finished* when the destination holds its manifest and bytes at the moment of the kill, whether or not the
//! ledger had learnt of it. Downloads are counted where they are served.

use std::collections::BTreeMap;

use crate::stage::Stage;

/// Finished files, by name: the sha256 that is held, and how often they had been downloaded.
#[derive(Debug, Default)]
pub struct Finished(BTreeMap<String, (String, usize)>);

impl Finished {
    /// Looks at the destination. Other processes may go on: what is held was downloaded before.
    ///
    /// # Panics
    /// If an index there names a file that is not held.
    pub fn note(&mut self, stage: &Stage) {
        stage.assert_indexes_exact();
        let held = stage.held(&stage.view());
        let downloads = stage.downloads();
        for file in held {
            let sha256 = stage.channel.file(&file).sha256.clone();
            let count = downloads.get(&file).copied().unwrap_or(0);
            let known = self.0.entry(file).or_insert((sha256.clone(), count));
            if known.0 != sha256 {
                *known = (sha256, count);
            }
        }
    }

    /// # Panics
    /// If one of them was downloaded again and is still what the channel wants.
    #[track_caller]
    pub fn assert_not_downloaded_since(&self, stage: &Stage) {
        for (file, (sha256, count)) in &self.0 {
            if stage.channel.file(file).sha256 == *sha256 {
                let now = stage.downloads_of(file);
                assert_eq!(now, *count, "{file} was finished and came again");
            }
        }
    }
}
