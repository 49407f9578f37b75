//! The content of `repodata.json:local`.

use std::collections::BTreeMap;

use mirror_channel::name::{ArchiveType, FileName};
use mirror_channel::repodata::{Record, RecordError, Section};
use mirror_ledger::FileOutcome;
use mirror_oci::Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What `push-cache` added to a subdir, and what it took out again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Additions {
    pub records: BTreeMap<FileName, Local>,
    /// The content of files that were taken out. It leaves the published index; what a channel lists under the same name
    /// does not.
    pub removed: BTreeMap<FileName, Digest>,
}

/// A record of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    pub sha256: [u8; 32],
    pub size: u64,
    pub json: String,
}

/// Why `:local` cannot be used. Nothing is published without it, or what somebody added would be lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it is no repodata: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Record(#[from] RecordError),
    #[error("its record of {0} states no sha256 or size")]
    Bare(String),
}

/// As JSON: a repodata of the records, so that anybody can read it.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    info: BTreeMap<String, String>,
    #[serde(default)]
    packages: BTreeMap<String, Box<RawValue>>,
    #[serde(default, rename = "packages.conda")]
    conda: BTreeMap<String, Box<RawValue>>,
    #[serde(
        default,
        rename = "org.conda.oci.removed",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    removed: BTreeMap<FileName, Digest>,
    #[serde(default)]
    repodata_version: u64,
}

impl Local {
    /// The record of a file, as [`Additions`] keep it.
    ///
    /// # Errors
    /// When it is no record, or states no sha256 or size.
    pub(crate) fn parse(file: &str, json: String) -> Result<(FileName, Self), Unusable> {
        let section = match file.ends_with(ArchiveType::Conda.extension()) {
            true => Section::PackagesConda,
            false => Section::Packages,
        };
        let record = Record::parse(section, file, json.as_bytes())?;
        let (Some(sha256), Some(size)) = (record.sha256, record.size) else {
            return Err(Unusable::Bare(record.file.as_str().to_owned()));
        };
        let local = Self { sha256, size, json };
        Ok((record.file, local))
    }
}

impl Additions {
    /// Reads the document.
    ///
    /// # Errors
    /// When any of it cannot be used.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, Unusable> {
        let document: Document = serde_json::from_slice(json)?;
        let records = document.packages.into_iter().chain(document.conda);
        let records = records.map(|(file, raw)| Local::parse(&file, raw.get().to_owned()));
        Ok(Self {
            records: records.collect::<Result<_, _>>()?,
            removed: document.removed,
        })
    }

    /// The document: the same additions give the same bytes.
    pub(crate) fn to_json(&self, subdir: &str) -> Result<Vec<u8>, serde_json::Error> {
        let of = |archive| {
            let records = self.records.iter();
            let records = records.filter(|(file, _)| file.archive() == archive);
            records
                .map(|(file, local)| {
                    let raw = RawValue::from_string(local.json.clone())?;
                    Ok((file.as_str().to_owned(), raw))
                })
                .collect::<Result<_, serde_json::Error>>()
        };
        serde_json::to_vec(&Document {
            info: BTreeMap::from([("subdir".to_owned(), subdir.to_owned())]),
            packages: of(ArchiveType::TarBz2)?,
            conda: of(ArchiveType::Conda)?,
            removed: self.removed.clone(),
            repodata_version: 1,
        })
    }

    /// Adds a record, in place of one of the same file.
    pub(crate) fn add(&mut self, file: FileName, local: Local) {
        self.removed.remove(&file);
        self.records.insert(file, local);
    }

    /// Takes the record of a file out again. `false`: there is none, and none was taken out before.
    pub(crate) fn remove(&mut self, file: &FileName) -> bool {
        match self.records.remove(file) {
            Some(local) => {
                let digest = Digest::from_sha256(local.sha256);
                self.removed.insert(file.clone(), digest);
                true
            }
            None => self.removed.contains_key(file),
        }
    }

    /// Whether the file with this content was added here.
    pub(crate) fn has(&self, file: &FileName, sha256: Option<[u8; 32]>) -> bool {
        let local = self.records.get(file);
        local.is_some_and(|local| Some(local.sha256) == sha256)
    }

    /// Whether the file with this content was added here once, and taken out.
    pub(crate) fn took_out(&self, file: &FileName, sha256: Option<[u8; 32]>) -> bool {
        let removed = self.removed.get(file);
        removed.is_some_and(|digest| Some(digest.sha256()) == sha256)
    }

    /// What the ledger is to know of them.
    pub(crate) fn outcomes(&self) -> Vec<(String, FileOutcome)> {
        let done = |local: &Local| FileOutcome::Done {
            sha256: local.sha256,
            md5: None,
            size: local.size,
        };
        let records = self.records.iter();
        records
            .map(|(file, local)| (file.as_str().to_owned(), done(local)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn added(file: &str, sha256: u8) -> (FileName, Local) {
        let name: FileName = file.parse().unwrap();
        let digest = Digest::from_sha256([sha256; 32]).hex();
        let json = format!(
            r#"{{"build":"{}","build_number":0,"depends":[],"name":"{}","sha256":"{digest}","size":7,"version":"{}"}}"#,
            name.build(),
            name.name(),
            name.version()
        );
        Local::parse(file, json).unwrap()
    }

    #[test]
    fn what_is_written_reads_the_same_again() {
        let mut additions = Additions::default();
        for file in ["b-1-0.conda", "a-1-0.tar.bz2", "a-1-0.conda"] {
            let (file, local) = added(file, 1);
            additions.add(file, local);
        }
        assert!(additions.remove(&"b-1-0.conda".parse().unwrap()));
        let json = additions.to_json("linux-64").unwrap();
        assert_eq!(Additions::from_json(&json).unwrap(), additions);
        let text = String::from_utf8(json).unwrap();
        assert!(
            text.starts_with(
                r#"{"info":{"subdir":"linux-64"},"packages":{"a-1-0.tar.bz2":{"build":"0","#
            ),
            "{text}"
        );
    }

    #[test]
    fn taken_out_is_the_content_that_was_there_until_it_is_added_again() {
        let (file, local) = added("a-1-0.conda", 1);
        let mut additions = Additions::default();
        assert!(!additions.remove(&file), "it was never there");
        additions.add(file.clone(), local.clone());
        assert!(additions.has(&file, Some([1; 32])) && !additions.has(&file, Some([2; 32])));
        assert!(additions.remove(&file) && additions.remove(&file));
        assert!(additions.took_out(&file, Some([1; 32])));
        assert!(!additions.took_out(&file, Some([2; 32])) && !additions.took_out(&file, None));
        additions.add(file.clone(), local);
        assert_eq!(additions.removed, BTreeMap::new());
    }

    #[test]
    fn a_document_with_a_record_that_cannot_be_used_is_refused() {
        for record in ["{}", r#"{"name":"a","version":"1","build":"0"}"#, "7"] {
            let json = format!(r#"{{"packages.conda":{{"a-1-0.conda":{record}}}}}"#);
            assert!(Additions::from_json(json.as_bytes()).is_err(), "{record}");
        }
        assert_eq!(Additions::from_json(b"{}").unwrap(), Additions::default());
    }
}
