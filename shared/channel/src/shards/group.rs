//! Which records belong to which package name, as places in the file: a few bytes a record.

use std::collections::HashMap;
use std::fs::File;

use crate::repodata::{Event, Limits, MAX_ADDED, Positioned, Record, Scanner, Section, members};

use super::ShardError;

/// Where one record is. Sorted by this, the records of a name are together, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// An index into [`Groups::names`].
    pub(super) name: u32,
    pub(super) section: Section,
    pub(super) len: u32,
    pub(super) offset: u64,
}

impl Place {
    /// Where the record ends.
    pub(super) const fn end(&self) -> u64 {
        self.offset + self.len as u64
    }
}

/// The places of an index's records, and what its `info` has for the shard index.
pub(super) struct Groups {
    /// The package names, in lower case, in the order they were met.
    pub(super) names: Vec<String>,
    /// Sorted.
    pub(super) places: Vec<Place>,
    /// The members of `info` that the shard index repeats, with their raw values.
    pub(super) info: Vec<(String, Vec<u8>)>,
}

/// The keys of `info` that clients of shards look for in the shard index.
const SHARED_INFO: [&str; 3] = [
    "repodata_revisions",
    "channel_relations",
    "virtual_package_detectors",
];

impl Groups {
    /// Reads through the published index once.
    pub(super) fn of(json: &File, limits: Limits) -> Result<Self, ShardError> {
        let mut scanner = Scanner::new(Positioned::new(json, 0), published(limits));
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut groups = Self {
            names: Vec::new(),
            places: Vec::new(),
            info: Vec::new(),
        };
        while let Some(event) = scanner.next()? {
            match event {
                Event::Record(entry) if entry.section.is_mirrored() => {
                    let broken = |reason: String| ShardError::Record {
                        key: entry.key.text.to_owned(),
                        reason,
                    };
                    let record = Record::parse(entry.section, entry.key.text, entry.json)
                        .map_err(|error| broken(error.to_string()))?;
                    let name = record.file.name().to_ascii_lowercase();
                    let number = match numbers.get(&name) {
                        Some(number) => *number,
                        None => {
                            let number = u32::try_from(groups.names.len())
                                .map_err(|_| broken("too many names".to_owned()))?;
                            numbers.insert(name.clone(), number);
                            groups.names.push(name);
                            number
                        }
                    };
                    let len = u32::try_from(entry.len)
                        .map_err(|_| broken("the record is over 4 GiB".to_owned()))?;
                    groups.places.push(Place {
                        name: number,
                        section: entry.section,
                        len,
                        offset: entry.offset,
                    });
                }
                Event::Unusable { key, error, .. } => {
                    // Passed over here, it would be in the index and in no shard.
                    let reason = error.to_string();
                    return Err(ShardError::Record { key, reason });
                }
                Event::Value { key, json, .. } if key.text == "info" && json.starts_with(b"{") => {
                    let all = members(json).map_err(|error| ShardError::Convert {
                        key: "info".to_owned(),
                        error,
                    })?;
                    let shared = all
                        .into_iter()
                        .filter(|(key, _)| SHARED_INFO.contains(&&**key));
                    groups.info = shared
                        .map(|(key, value)| (key, value.get().as_bytes().to_vec()))
                        .collect();
                }
                _ => {}
            }
        }
        groups
            .places
            .sort_unstable_by_key(|place| (place.name, place.offset));
        Ok(groups)
    }
}

/// What a published index may have if upstream's was within `limits`.
fn published(limits: Limits) -> Limits {
    Limits {
        max_record_bytes: limits.max_record_bytes.saturating_add(MAX_ADDED),
        // The shortest count, `"oldest":1,`, grows to 30 bytes at most.
        max_info_bytes: limits.max_info_bytes.saturating_mul(3),
        // `packages` and `packages.conda` may have been added.
        max_keys: limits.max_keys.saturating_add(2),
        ..limits
    }
}
