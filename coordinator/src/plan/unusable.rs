//! Records that cannot be used: which file each is about, and what is said of it.

use mirror_channel::name::{FileName, NameError};
use mirror_channel::repodata::{Record, RecordError, RepodataError, Section};
use mirror_channel::selection::Choice;

use super::make::hash_of;
use super::maker::Maker;
use crate::report::{Entry, Verdict};

/// A record that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// What it says.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What it asks of its reader: too much, or to choose between two.
    #[error("the record {key:?} cannot be used: {error}")]
    Limit { key: String, error: RepodataError },
    /// Nothing vouches for its file.
    #[error(
        "the record of {file} has neither sha256 nor md5, so nothing can vouch for its bytes; --allow-unverified mirrors \
         such files as they come"
    )]
    Unverifiable { file: FileName },
}

impl Unusable {
    /// The file it is about, as far as it says.
    fn file(&self) -> String {
        let error = match self {
            Self::Limit { key, .. } => return key.clone(),
            Self::Unverifiable { file } => return file.as_str().to_owned(),
            Self::Record(error) => error,
        };
        match error {
            // Wheels are listed without their extension.
            RecordError::NotMirrored {
                key,
                section: Section::Wheel,
            } if !key.ends_with(".whl") => format!("{key}.whl"),
            RecordError::NotMirrored { key, .. } => key.clone(),
            RecordError::Json { file, .. }
            | RecordError::Encoding { file }
            | RecordError::Missing { file, .. }
            | RecordError::Disagrees { file, .. }
            | RecordError::Hash { file, .. } => file.as_str().to_owned(),
            RecordError::Name(
                NameError::Extension(name)
                | NameError::Parts(name)
                | NameError::Dots(name)
                | NameError::Character { name, .. }
                | NameError::Long { start: name, .. },
            ) => name.clone(),
        }
    }
}

impl Maker<'_> {
    /// Whether a record is one of those that were asked for, as far as its name tells.
    fn concerns(&mut self, error: &Unusable, section: Section) -> bool {
        let key = error.file();
        let file = FileName::parse(&key).ok();
        let Some(file) = file.or_else(|| section.file_name(&key).ok().flatten()) else {
            return true;
        };
        let record = Record {
            file,
            sha256: None,
            md5: None,
            size: None,
        };
        let choice = self.inputs.selection.judge(&record, b"{}", None);
        if choice == Choice::Selected {
            self.number(record.file.name());
        }
        choice == Choice::Selected
            || (choice == Choice::Unselected && self.is_listed(hash_of(&record.file)))
    }

    /// Counts and reports a record that cannot be used, if it was asked for.
    pub(super) fn unusable(&mut self, error: &Unusable, section: Section) {
        if !self.concerns(error, section) {
            return;
        }
        let verdict = match section.is_mirrored() {
            false => {
                self.totals.unrepresentable += 1;
                Verdict::Unrepresentable
            }
            true => {
                self.totals.broken += 1;
                if self.inputs.says {
                    tracing::warn!(subdir = self.inputs.subdir, %error, "record left out");
                }
                Verdict::BadRecord
            }
        };
        self.report.add(&Entry::left_out(
            self.inputs.subdir,
            &error.file(),
            verdict,
            &error.to_string(),
        ));
    }
}
