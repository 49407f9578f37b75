//! How an index lists a file: where, with which hashes, with which extra fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The section of the index that lists a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `packages` or `packages.conda`.
    Indexed,
    /// Only in `repodata_from_packages.json`.
    Yanked,
    /// CEP 48: `v3.<extension>.<name-version-build>`.
    Revision3,
}

/// The hashes that the record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashes {
    /// sha256 and md5.
    Both,
    /// Only md5, as very old channels have.
    Md5Only,
    /// Neither.
    Missing,
}

/// How the indexes list a file.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Where.
    pub place: Place,
    /// With which hashes.
    pub hashes: Hashes,
    raw_fields: BTreeMap<String, String>,
}

impl Default for Listing {
    fn default() -> Self {
        Self::indexed()
    }
}

impl Listing {
    /// As usual: in `repodata.json`, with both hashes.
    pub fn indexed() -> Self {
        Self {
            place: Place::Indexed,
            hashes: Hashes::Both,
            raw_fields: BTreeMap::new(),
        }
    }

    /// Only in `repodata_from_packages.json`.
    pub fn yanked() -> Self {
        Self {
            place: Place::Yanked,
            ..Self::indexed()
        }
    }

    /// As a CEP 48 record.
    pub fn revision3() -> Self {
        Self {
            place: Place::Revision3,
            ..Self::indexed()
        }
    }

    /// Without the sha256.
    pub fn md5_only(mut self) -> Self {
        self.hashes = Hashes::Md5Only;
        self
    }

    /// Without any hash.
    pub fn unhashed(mut self) -> Self {
        self.hashes = Hashes::Missing;
        self
    }

    /// One more field of the record, or another value for one that it has (a wrong `sha256`, say): `json` is copied
    /// into the index as it stands.
    pub fn field(mut self, key: &str, json: &str) -> Self {
        self.raw_fields.insert(key.to_owned(), json.to_owned());
        self
    }

    /// The record's fields as the index spells them.
    pub(super) fn fields(&self, record: &Map<String, Value>) -> BTreeMap<String, String> {
        let dropped: &[&str] = match self.hashes {
            Hashes::Both => &[],
            Hashes::Md5Only => &["sha256"],
            Hashes::Missing => &["sha256", "md5"],
        };
        let kept = record
            .iter()
            .filter(|(key, _)| !dropped.contains(&key.as_str()));
        let mut fields: BTreeMap<_, _> = kept
            .map(|(key, value)| (key.clone(), crate::package::sorted(value).to_string()))
            .collect();
        fields.extend(self.raw_fields.clone());
        fields
    }
}
