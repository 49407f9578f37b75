//! Counting what will be kept, for an `info` that states counts (CEP 48's `repodata_revisions`).

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::section::{Revision, revision_container};
use super::{Event, Keep, Limits, RepodataError, Scanner, info};

/// The revision of `packages` and `packages.conda`.
const LEGACY: u64 = 0;

/// The largest timestamp that counts seconds; conda reads larger ones as milliseconds.
const MAX_SECONDS: i64 = 253_402_300_799;

/// What is kept of each revision that this index has a place for.
pub(super) struct Survey {
    revisions: BTreeMap<u64, Kept>,
}

/// The kept records of one revision.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kept {
    pub(super) records: u64,
    /// Unix milliseconds of the oldest and the newest record that has a timestamp.
    pub(super) oldest: Option<i64>,
    pub(super) newest: Option<i64>,
}

impl Survey {
    /// Counts if the index has an `info` that needs it, else `None`, read no further than `info`.
    pub(super) fn take(
        input: impl Read,
        limits: Limits,
        keep: &dyn Fn(u64) -> Keep,
    ) -> Result<Option<Self>, RepodataError> {
        let mut survey = Self {
            revisions: BTreeMap::from([(LEGACY, Kept::default()), (3, Kept::default())]),
        };
        let mut scanner = Scanner::new(input, limits);
        let mut revision = LEGACY;
        let mut depth = 0;
        let mut needed = false;
        while let Some(event) = scanner.next()? {
            match event {
                Event::Open { key, section } => {
                    depth += 1;
                    if section.is_none()
                        && let Some(Revision::Numbered(number)) = revision_container(key.text)
                    {
                        revision = number;
                        survey.revisions.entry(revision).or_default();
                    }
                }
                Event::Close => {
                    depth -= 1;
                    if depth == 0 {
                        revision = LEGACY;
                    }
                }
                Event::Record(entry) => {
                    if entry.section.is_mirrored() && keep(entry.ordinal) != Keep::Drop {
                        survey
                            .revisions
                            .entry(revision)
                            .or_default()
                            .count(entry.json);
                    }
                }
                Event::Unusable { .. } => {}
                Event::Value { key, json, offset } => {
                    if depth == 0 && key.text == "info" {
                        needed =
                            info::has_revisions(json).map_err(|error| RepodataError::Value {
                                key: "info".to_owned(),
                                offset,
                                error,
                            })?;
                        if !needed {
                            return Ok(None);
                        }
                    }
                }
            }
        }
        Ok(needed.then_some(survey))
    }

    /// What is kept of a revision; `None` for one whose records this index keeps in no place known to us.
    pub(super) fn revision(&self, number: u64) -> Option<&Kept> {
        self.revisions.get(&number)
    }
}

impl Kept {
    fn count(&mut self, json: &[u8]) {
        self.records += 1;
        if let Some(timestamp) = timestamp_ms(json) {
            self.oldest = Some(
                self.oldest
                    .map_or(timestamp, |oldest| oldest.min(timestamp)),
            );
            self.newest = self.newest.max(Some(timestamp));
        }
    }
}

/// A record's `timestamp` in milliseconds; `None` if it has none that is a number.
pub(crate) fn timestamp_ms(json: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Stamp {
        timestamp: Option<i64>,
    }
    let timestamp = serde_json::from_slice::<Stamp>(json).ok()?.timestamp?;
    if timestamp > MAX_SECONDS {
        Some(timestamp)
    } else {
        timestamp.checked_mul(1000)
    }
}

/// The number that a key of `repodata_revisions` stands for, in the spellings that rattler reads.
pub(super) fn revision_number(key: &str) -> Option<u64> {
    if key.eq_ignore_ascii_case("legacy") {
        return Some(LEGACY);
    }
    key.strip_prefix(['v', 'V']).unwrap_or(key).parse().ok()
}
