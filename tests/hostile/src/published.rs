//! The shards made of an index that is published.
//!
//! - Of what [`NameSizes`] admits of an index, shards can be made under the same limits.
//! - Each record of the index is in the shard of its name, in lower case, and in no other, and says the same there as in
//!   the index; the shard index lists each shard under its hash, and no address of upstream's.
//! - Made again they are the same, to the byte.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{Cursor, Write as _};

use mirror_channel::repodata::{Event, Keep, NameSizes, Record, Scanner, rewrite};
use mirror_channel::shards::{Shards, build, read_index, same_records};
use mirror_oci::Digest;
use serde_json::{Map, Value};

use crate::repodata::LIMITS;

/// `data` is upstream's index; all of it that is usable is published.
pub fn check(data: &[u8]) {
    let Some(usable) = usable(data) else {
        return;
    };
    let keep = |ordinal| match usable.contains(&ordinal) {
        true => Keep::Keep,
        false => Keep::Drop,
    };
    let mut index = Vec::new();
    if rewrite(&mut Cursor::new(data), &mut index, LIMITS, &keep).is_err() {
        return;
    }
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&index).unwrap();
    let (shards, pack) = built(&file);
    assert_eq!(built(&file), (shards.clone(), pack.clone()), "made again");

    let frames: BTreeMap<&str, &[u8]> = shards
        .new
        .iter()
        .map(|shard| {
            let at = usize::try_from(shard.offset).unwrap();
            let bytes = &pack[at..][..usize::try_from(shard.len).unwrap()];
            assert_eq!(Digest::of(bytes).sha256(), shard.sha256);
            (&*shard.name, bytes)
        })
        .collect();
    let listed = read_index(&shards.index).expect("our own shard index is read");
    let made = shards
        .new
        .iter()
        .map(|shard| (shard.name.clone(), shard.sha256));
    assert_eq!(listed, made.collect());
    assert_eq!(shards.total, frames.len());

    let Some(expected) = by_name(&index) else {
        return;
    };
    let names = expected.keys().map(String::as_str);
    assert!(names.eq(frames.keys().copied()), "a shard of each name");
    for (name, content) in &expected {
        let content = rmp_serde::to_vec_named(content).unwrap();
        let naive = zstd::bulk::compress(&content, 1).unwrap();
        let same = same_records(frames[&**name], &naive).expect("both are read");
        assert!(
            same,
            "the shard of {name} says something else than the index"
        );
    }
}

/// The records that a planner would take; `None` if the index is refused.
fn usable(data: &[u8]) -> Option<HashSet<u64>> {
    let mut scanner = Scanner::new(data, LIMITS);
    let mut sizes = NameSizes::new(&LIMITS);
    let mut usable = HashSet::new();
    while let Some(event) = scanner.next().ok()? {
        if let Event::Record(entry) = event
            && let Ok(record) = Record::parse(entry.section, entry.key.text, entry.json)
            && sizes.admit(&record, &entry).is_ok()
        {
            usable.insert(entry.ordinal);
        }
    }
    Some(usable)
}

fn built(index: &File) -> (Shards, Vec<u8>) {
    let mut pack = Vec::new();
    let shards = build(index, "noarch", &HashSet::new(), &mut pack, LIMITS);
    (
        shards.expect("shards can be made of what is published"),
        pack,
    )
}

/// What the index says of each name, read without any care; `None` if that cannot be done.
fn by_name(index: &[u8]) -> Option<BTreeMap<String, Value>> {
    let index: Value = serde_json::from_slice(index).ok()?;
    let mut names: HashMap<String, Map<String, Value>> = HashMap::new();
    let nothing = Map::new();
    for (path, extension) in [
        (&["packages"][..], ""),
        (&["packages.conda"], ""),
        (&["v3", "conda"], ".conda"),
        (&["v3", "tar.bz2"], ".tar.bz2"),
    ] {
        let section = path.iter().try_fold(&index, |value, key| value.get(key));
        let section = section.and_then(Value::as_object).unwrap_or(&nothing);
        for (key, record) in section {
            let file: mirror_channel::name::FileName = format!("{key}{extension}").parse().ok()?;
            let name = file.name().to_ascii_lowercase();
            let shard = names.entry(name).or_default();
            let mut holder = shard.entry(path[0]).or_insert_with(|| Map::new().into());
            if let Some(bucket) = path.get(1) {
                let buckets = holder.as_object_mut().unwrap();
                holder = buckets.entry(*bucket).or_insert_with(|| Map::new().into());
            }
            holder[key] = as_in_a_shard(record.clone());
        }
    }
    Some(
        names
            .into_iter()
            .map(|(name, shard)| (name, shard.into()))
            .collect(),
    )
}

/// Shards have a hash as bytes, and none where the index has an empty one.
fn as_in_a_shard(mut record: Value) -> Value {
    for hash in ["sha256", "md5"] {
        let said = record.get(hash).and_then(Value::as_str);
        let hex = said.map(|hex| match hex {
            "" => Value::Null,
            hex => hex.to_ascii_lowercase().into(),
        });
        if let Some(hex) = hex {
            record[hash] = hex;
        }
    }
    record
}
