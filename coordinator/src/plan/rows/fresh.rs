//! Notices keys that are in a section twice.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use mirror_channel::repodata::Section;

/// The keys of the section that is being read, as hashes with a secret of this process: 8 bytes each while they come in
/// order, as those of nearly all indexes do, and up to 20 after that.
#[derive(Default)]
pub(super) struct Fresh {
    hasher: RandomState,
    section: Option<Section>,
    /// The last key, and all of them, while they come in order: then none can be there twice.
    last: String,
    sorted: Vec<u64>,
    /// All of them, once one did not.
    unsorted: Option<HashSet<u64>>,
}

impl Fresh {
    /// Adds a key. Whether it is the first of its kind in its section. An index has each section once.
    pub(super) fn add(&mut self, section: Section, key: &str) -> bool {
        if self.section != Some(section) {
            *self = Self {
                hasher: RandomState::new(),
                section: Some(section),
                ..Self::default()
            };
        }
        let hash = self.hasher.hash_one(key);
        if let Some(met) = &mut self.unsorted {
            return met.insert(hash);
        }
        if self.sorted.is_empty() || *self.last < *key {
            self.sorted.push(hash);
            key.clone_into(&mut self.last);
            return true;
        }
        let mut met: HashSet<u64> = std::mem::take(&mut self.sorted).into_iter().collect();
        let fresh = met.insert(hash);
        self.unsorted = Some(met);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_fresh_once_in_each_section_in_whatever_order() {
        let keys = ["b", "c", "c", "d", "b", "a", "a", "e", "d"];
        let expected = [true, true, false, true, false, true, false, true, false];
        let mut fresh = Fresh::default();
        for section in [Section::Packages, Section::PackagesConda] {
            let told = keys.map(|key| fresh.add(section, key));
            assert_eq!(told, expected, "{section:?}");
        }
    }
}
