//! The few facts of a record that decide whether and how its file is mirrored.

mod digest;
mod fields;
mod plain;

use crate::name::{FileName, NameError};

use super::Section;
use digest::digest;

/// The most characters of untrusted text that an error repeats.
const SHOWN: usize = 100;

/// What a mirror needs to know of one record. The package's name, version and build are the file name's, which the
/// record has been found to agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The file that the record is about.
    pub file: FileName,
    /// The sha256 of the file, if upstream says.
    pub sha256: Option<[u8; 32]>,
    /// The md5 of the file, if upstream says.
    pub md5: Option<[u8; 16]>,
    /// The size of the file in bytes, if upstream says.
    pub size: Option<u64>,
}

/// Why one record cannot be mirrored. It concerns that record only.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The key is no file name.
    #[error(
        "the repodata lists a file with an unusable name: {0}; it is left out until the channel mends its index"
    )]
    Name(NameError),
    /// A wheel or an unknown kind of file.
    #[error(
        "{key:?} is in a section of the repodata ({section:?}) whose files the registry layout has no place for"
    )]
    NotMirrored {
        /// The record's key.
        key: String,
        /// Its section.
        section: Section,
    },
    /// The record is no JSON object with fields of the expected types.
    #[error(
        "the repodata record of {file} is broken: {reason}; it is left out until the channel mends its index"
    )]
    Json {
        /// The file it is about.
        file: FileName,
        /// What the parser said, shortened: it repeats what it did not expect, whatever its length.
        reason: String,
    },
    /// Not UTF-8.
    #[error(
        "the repodata record of {file} is not UTF-8 text; it is left out until the channel mends its index"
    )]
    Encoding {
        /// The file it is about.
        file: FileName,
    },
    /// A fact that every record must state is absent.
    #[error(
        "the repodata record of {file} has no {field}; it is left out until the channel mends its index"
    )]
    Missing {
        /// The file it is about.
        file: FileName,
        /// The absent field.
        field: &'static str,
    },
    /// The record is about another package than the file name says; clients would look for it under one name and find
    /// it under another.
    #[error(
        "the repodata record of {file} says that its {field} is {record:?}; the file name says otherwise; it is left out until the channel mends its index"
    )]
    Disagrees {
        /// The file it is about.
        file: FileName,
        /// `name`, `version` or `build`.
        field: &'static str,
        /// What the record says, shortened.
        record: String,
    },
    /// A hash that is none.
    #[error(
        "the repodata record of {file} has the {field} {value:?}, which is not a hash in hex; it is left out until the channel mends its index"
    )]
    Hash {
        /// The file it is about.
        file: FileName,
        /// `sha256` or `md5`.
        field: &'static str,
        /// What the record says, shortened.
        value: String,
    },
}

impl From<NameError> for RecordError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl Record {
    /// Reads the facts from a record's raw JSON, and makes sure that all of it is sound (so that what is kept can be
    /// published). Empty and null hashes count as absent. A key that is there twice is not sound, at any depth: rattler
    /// refuses an index that has one such record.
    ///
    /// # Errors
    /// See [`RecordError`]. None of them says anything about other records.
    pub fn parse(section: Section, key: &str, json: &[u8]) -> Result<Self, RecordError> {
        let Some(file) = section.file_name(key)? else {
            return Err(RecordError::NotMirrored {
                key: key.chars().take(SHOWN).collect(),
                section,
            });
        };
        let Ok(text) = std::str::from_utf8(json) else {
            return Err(RecordError::Encoding { file });
        };
        let fields = match plain::fields(text).map_or_else(|| serde_json::from_str(text), Ok) {
            Ok(fields) => fields,
            Err(error) => {
                let reason = shortened(&error.to_string());
                return Err(RecordError::Json { file, reason });
            }
        };
        let name = |given: &str| given.eq_ignore_ascii_case(file.name());
        agrees(&file, "name", fields.name.as_deref(), name)?;
        agrees(&file, "version", fields.version.as_deref(), |given| {
            given == file.version()
        })?;
        agrees(&file, "build", fields.build.as_deref(), |given| {
            given == file.build()
        })?;
        let sha256 = hash(&file, "sha256", fields.sha256.as_deref())?;
        let md5 = hash(&file, "md5", fields.md5.as_deref())?;
        Ok(Self {
            sha256,
            md5,
            size: fields.size,
            file,
        })
    }
}

/// The beginning and the end of a message: what was not expected, and what was.
fn shortened(message: &str) -> String {
    let count = message.chars().count();
    if count <= 2 * SHOWN {
        return message.to_owned();
    }
    let start: String = message.chars().take(SHOWN).collect();
    let end: String = message.chars().skip(count - SHOWN).collect();
    format!("{start}…{end}")
}

fn agrees(
    file: &FileName,
    field: &'static str,
    record: Option<&str>,
    same: impl Fn(&str) -> bool,
) -> Result<(), RecordError> {
    match record {
        None => Err(RecordError::Missing {
            file: file.clone(),
            field,
        }),
        Some(record) if same(record) => Ok(()),
        Some(record) => Err(RecordError::Disagrees {
            file: file.clone(),
            field,
            record: record.chars().take(SHOWN).collect(),
        }),
    }
}

fn hash<const N: usize>(
    file: &FileName,
    field: &'static str,
    hex: Option<&str>,
) -> Result<Option<[u8; N]>, RecordError> {
    let Some(hex) = hex.filter(|hex| !hex.is_empty()) else {
        return Ok(None);
    };
    match digest(hex.as_bytes()) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(RecordError::Hash {
            file: file.clone(),
            field,
            value: hex.chars().take(SHOWN).collect(),
        }),
    }
}

#[cfg(test)]
mod tests;
