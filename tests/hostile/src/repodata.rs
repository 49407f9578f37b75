//! An index: read as a stream, and written anew with only some of its records.
//!
//! - Read a few bytes at a time it is read the same; what goes over a limit is refused or passed over, never delivered.
//! - Each record can be read again at its place.
//! - What is published is valid JSON, has upstream's bytes of each record kept, in upstream's order, and no other record;
//!   no `info.base_url`; and otherwise what a naive filter of the parsed document leaves.
//! - Published again it is the same, to the byte.
//! - A record without a sha256 gets the one it is given, and changes in nothing else.

use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read, Write as _};

use mirror_channel::repodata::{
    Event, Keep, Limits, Record, Rewritten, Scanner, Section, read_at, rewrite,
};
use serde_json::{Map, Value};

/// Limits that an index can go over without being large.
pub const LIMITS: Limits = Limits {
    max_record_bytes: 3_000,
    max_info_bytes: 4_000,
    max_value_bytes: 8_000,
    max_key_bytes: 200,
    max_depth: 12,
    max_keys: 40,
    max_records: 200,
    max_decompressed_bytes: 1 << 20,
    max_shard_bytes: 20_000,
};

/// A record as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    ordinal: u64,
    section: Section,
    /// The keys down to the record, its own the last; empty if it was passed over.
    path: Vec<String>,
    raw_key: Vec<u8>,
    json: Vec<u8>,
    offset: u64,
}

/// `data` is the index.
pub fn check(data: &[u8]) {
    let whole = seen(data);
    let at_once = Dribble {
        rest: data,
        at_once: 1 + data.len() % 7,
    };
    assert_eq!(seen(at_once), whole, "read a few bytes at a time");
    let Some(records) = whole else {
        assert!(
            rewritten(data, &|_| Keep::Keep).is_none(),
            "scanned it is refused"
        );
        return;
    };
    assert!(records.len() as u64 <= LIMITS.max_records);
    read_again(data, &records);

    let usable: HashMap<u64, Record> = records
        .iter()
        .filter_map(|seen| {
            let record = Record::parse(seen.section, seen.path.last()?, &seen.json).ok()?;
            Some((seen.ordinal, record))
        })
        .collect();
    let wanted: [fn(u64) -> bool; 3] = [|_| true, |_| false, |ordinal| ordinal % 2 == 1];
    for wanted in wanted {
        let kept = |ordinal| usable.contains_key(&ordinal) && wanted(ordinal);
        let keep = |ordinal| {
            if kept(ordinal) {
                Keep::Keep
            } else {
                Keep::Drop
            }
        };
        if let Some((out, counts)) = rewritten(data, &keep) {
            published(&out, &counts, &records, &kept);
            as_a_naive_filter_does(data, &out, &records, &kept);
        }
    }
    with_hashes(data, &usable);
}

/// The records, or `None` if the index is refused.
fn seen(input: impl Read) -> Option<Vec<Seen>> {
    let mut scanner = Scanner::new(input, LIMITS);
    let (mut records, mut path) = (Vec::new(), Vec::new());
    while let Some(event) = scanner.next().ok()? {
        match event {
            Event::Open { key, .. } => path.push(key.text.to_owned()),
            Event::Close => drop(path.pop()),
            Event::Record(entry) => {
                assert!(entry.json.len() <= LIMITS.max_record_bytes);
                assert!(entry.key.raw.len() <= LIMITS.max_key_bytes);
                let own = [entry.key.text.to_owned()];
                records.push(Seen {
                    ordinal: entry.ordinal,
                    section: entry.section,
                    path: path.iter().cloned().chain(own).collect(),
                    raw_key: entry.key.raw.to_vec(),
                    json: entry.json.to_vec(),
                    offset: entry.offset,
                });
            }
            Event::Unusable {
                ordinal,
                section,
                key,
                ..
            } => {
                assert!(key.len() <= 4 * LIMITS.max_key_bytes);
                records.push(Seen {
                    ordinal,
                    section,
                    path: Vec::new(),
                    raw_key: Vec::new(),
                    json: Vec::new(),
                    offset: 0,
                });
            }
            Event::Value { json, .. } => {
                assert!(json.len() <= LIMITS.max_value_bytes);
                serde_json::from_slice::<serde::de::IgnoredAny>(json).expect("a value is JSON");
            }
        }
    }
    assert!(path.is_empty(), "what was opened was closed");
    assert!(
        records
            .iter()
            .map(|seen| seen.ordinal)
            .eq(0..records.len() as u64)
    );
    Some(records)
}

fn read_again(data: &[u8], records: &[Seen]) {
    let records = records.iter().filter(|seen| !seen.path.is_empty());
    let mut file = None;
    for seen in records.rev() {
        let file = file.get_or_insert_with(|| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(data).unwrap();
            file
        });
        let again = read_at(file, seen.offset, LIMITS).expect("a record is where it was");
        assert_eq!(
            (Some(&again.key), &again.json),
            (seen.path.last(), &seen.json)
        );
    }
}

fn rewritten(data: &[u8], keep: &dyn Fn(u64) -> Keep) -> Option<(Vec<u8>, Rewritten)> {
    let mut out = Vec::new();
    let counts = rewrite(&mut Cursor::new(data), &mut out, LIMITS, keep).ok()?;
    Some((out, counts))
}

fn published(out: &[u8], counts: &Rewritten, records: &[Seen], kept: &dyn Fn(u64) -> bool) {
    serde_json::from_slice::<serde::de::IgnoredAny>(out).expect("what is published is JSON");
    let expected: Vec<&Seen> = records.iter().filter(|seen| kept(seen.ordinal)).collect();
    assert_eq!(counts.records, expected.len() as u64);
    let after = seen(out);
    // Counts written anew may take it over a limit that it was just under.
    if let Some(after) = &after {
        let same = |(before, after): (&&Seen, &Seen)| {
            (&before.path, &before.raw_key, &before.json)
                == (&after.path, &after.raw_key, &after.json)
        };
        assert_eq!(after.len(), expected.len());
        assert!(
            expected.iter().zip(after).all(same),
            "upstream's bytes, in its order"
        );
        let (again, _) = rewritten(out, &|_| Keep::Keep).expect("what is published is read");
        assert_eq!(again, out, "published again");
    }
    let info = serde_json::from_slice::<Value>(out).ok();
    assert!(
        info.is_none_or(|out| out["info"].get("base_url").is_none()),
        "base_url"
    );
}

/// Holds the output against the document parsed whole, where that can be done: not if readers differ on what it says.
fn as_a_naive_filter_does(data: &[u8], out: &[u8], records: &[Seen], kept: &dyn Fn(u64) -> bool) {
    let parsed = |json: &[u8]| serde_json::from_slice::<Value>(json).ok();
    let (Some(mut expected), Some(mut out)) = (parsed(data), parsed(out)) else {
        return;
    };
    let mut paths = HashSet::new();
    for seen in records {
        let Some((key, above)) = seen.path.split_last().filter(|_| paths.insert(&seen.path)) else {
            return;
        };
        let holder = above
            .iter()
            .try_fold(&mut expected, |value, key| value.get_mut(key));
        let holder = holder.and_then(Value::as_object_mut).expect("it is there");
        if !kept(seen.ordinal) {
            holder.remove(key);
        }
    }
    if let Some(expected) = expected.as_object_mut() {
        for name in ["packages", "packages.conda"] {
            expected.entry(name).or_insert_with(|| Map::new().into());
        }
    }
    for index in [&mut expected, &mut out] {
        if let Some(info) = index.get_mut("info").and_then(Value::as_object_mut) {
            info.remove("repodata_revisions");
        }
    }
    if let Some(info) = expected.get_mut("info").and_then(Value::as_object_mut) {
        info.remove("base_url");
    }
    assert_eq!(out, expected);
}

fn with_hashes(data: &[u8], usable: &HashMap<u64, Record>) {
    let sha256 = [0xab; 32];
    let keep = |ordinal| match usable.get(&ordinal) {
        None => Keep::Drop,
        Some(record) if record.sha256.is_some() => Keep::Keep,
        Some(_) => Keep::WithSha256(sha256),
    };
    let Some((out, _)) = rewritten(data, &keep) else {
        return;
    };
    let Some(after) = seen(&*out) else {
        return;
    };
    let mut ordinals: Vec<u64> = usable.keys().copied().collect();
    ordinals.sort_unstable();
    for (before, after) in ordinals.iter().map(|ordinal| &usable[ordinal]).zip(&after) {
        let Some(key) = after.path.last() else {
            // Its sha256 took it over the limit.
            continue;
        };
        let after = Record::parse(after.section, key, &after.json).expect("it is still sound");
        let expected = Record {
            sha256: Some(before.sha256.unwrap_or(sha256)),
            ..before.clone()
        };
        assert_eq!(after, expected);
    }
}

/// Gives a few bytes at a time.
struct Dribble<'a> {
    rest: &'a [u8],
    at_once: usize,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end = buffer.len().min(self.at_once);
        self.rest.read(&mut buffer[..end])
    }
}
