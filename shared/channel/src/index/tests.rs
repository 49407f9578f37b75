#![allow(clippy::unwrap_used)]
use std::io::Write;

use proptest::prelude::*;
use rattler_conda_types::RepoData;
use rattler_conda_types::package::DistArchiveIdentifier;
use rattler_digest::compute_file_digest;
use serde_json::json;

use super::*;
use crate::repodata::testing::{any_document, record, sample, text, tight};
use crate::repodata::{Event, NameSizes, Record, Scanner, empty};

/// Plain index and all the rest.
fn build(
    upstream: File,
    keep: &dyn Fn(u64) -> Keep,
    subdir: &str,
    known_shards: &HashSet<[u8; 32]>,
    dir: &Path,
    limits: Limits,
) -> Result<IndexFiles, IndexError> {
    let plain = filter(upstream, keep, dir, limits)?;
    complete(plain, subdir, known_shards, dir, limits)
}

fn upstream(json: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(json).unwrap();
    file
}

fn key(file: &str) -> DistArchiveIdentifier {
    file.parse().unwrap()
}

#[test]
fn every_file_is_there_with_its_hash_and_rattler_reads_what_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut json = sample();
    json["packages.conda"]["zlib-1.3-h_0.conda"]
        .as_object_mut()
        .unwrap()
        .remove("sha256");
    // Ordinals follow the file: the packages first, then packages.conda in order of their keys.
    let keep = |ordinal| match ordinal {
        0 => Keep::Drop,
        4 => Keep::WithSha256([7; 32]),
        _ => Keep::Keep,
    };
    let files = build(
        upstream(&text(&json, true)),
        &keep,
        "linux-64",
        &HashSet::new(),
        dir.path(),
        Limits::default(),
    )
    .unwrap();
    for artifact in [
        &files.json,
        &files.zst,
        &files.shard_index,
        &files.shards.pack,
    ] {
        assert_eq!(
            <[u8; 32]>::from(compute_file_digest::<Sha256>(&artifact.path).unwrap()),
            artifact.sha256
        );
        assert_eq!(
            std::fs::metadata(&artifact.path).unwrap().len(),
            artifact.size
        );
    }
    let plain = std::fs::read(&files.json.path).unwrap();
    let compressed = std::fs::read(&files.zst.path).unwrap();
    assert_eq!(
        zstd::zstd_safe::get_frame_content_size(&compressed).unwrap(),
        Some(plain.len() as u64)
    );
    assert_eq!(zstd::decode_all(&*compressed).unwrap(), plain);

    let mut expected: RepoData = serde_json::from_value(json.clone()).unwrap();
    let published = RepoData::from_path(&files.json.path).unwrap();
    expected
        .packages
        .shift_remove(&key("_libgcc-1!2.0+cu1-0.tar.bz2"))
        .unwrap();
    expected.conda_packages[&key("zlib-1.3-h_0.conda")].sha256 = Some([7; 32].into());
    expected.v3.whl.clear();
    expected.info = published.info.clone();
    assert_eq!(published, expected);
    assert_eq!(published.info.unwrap().base_url, None);
    assert_eq!(
        (
            files.records,
            files.rewritten.dropped,
            files.rewritten.not_mirrored
        ),
        (7, 1, 1)
    );
    assert_eq!((files.shards.new.len(), files.shards.total), (3, 3));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let json = text(&sample(), false);
    let hashes = || {
        let dir = tempfile::tempdir().unwrap();
        let files = build(
            upstream(&json),
            &|_| Keep::Keep,
            "x",
            &HashSet::new(),
            dir.path(),
            Limits::default(),
        )
        .unwrap();
        [files.json, files.zst, files.shard_index, files.shards.pack]
            .map(|artifact| artifact.sha256)
    };
    assert_eq!(hashes(), hashes());
}

#[test]
fn a_channel_without_noarch_gets_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let files = build(
        upstream(&empty("noarch")),
        &|_| Keep::Keep,
        "noarch",
        &HashSet::new(),
        dir.path(),
        Limits::default(),
    )
    .unwrap();
    assert_eq!(
        (files.records, files.shards.total, files.shards.pack.size),
        (0, 0, 0)
    );
    assert_eq!(std::fs::read(&files.json.path).unwrap(), empty("noarch"));
    assert!(
        crate::shards::read_index(&std::fs::read(&files.shard_index.path).unwrap())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_kept_record_that_is_none_fails_the_build_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let json = text(
        &json!({"packages": {"a-1-0.tar.bz2": {"name": "b", "version": "1", "build": "0"}}}),
        false,
    );
    let error = build(
        upstream(&json),
        &|_| Keep::Keep,
        "x",
        &HashSet::new(),
        dir.path(),
        Limits::default(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("a-1-0.tar.bz2"), "{error}");
}

#[test]
fn a_record_at_its_limit_is_in_the_index_and_in_a_shard_with_the_sha256_that_was_added() {
    let dir = tempfile::tempdir().unwrap();
    let record = json!({"name": "a", "version": "1", "build": "0", "md5": "01".repeat(16)});
    let limits = Limits {
        max_record_bytes: record.to_string().len(),
        ..Limits::default()
    };
    let files = build(
        upstream(&text(
            &json!({"packages": {"a-1-0.tar.bz2": record}}),
            false,
        )),
        &|_| Keep::WithSha256([7; 32]),
        "x",
        &HashSet::new(),
        dir.path(),
        limits,
    )
    .unwrap();
    assert_eq!((files.records, files.shards.total), (1, 1));
}

#[test]
fn an_index_at_its_limits_is_published_with_what_filtering_adds_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let info = json!({"repodata_revisions": {"v0": {"n_packages": 1, "oldest": 1, "newest": 1}}});
    let mut json = json!({"info": info, "packages": {}});
    for number in 0..10 {
        let build = number.to_string();
        let key = format!("a-1-{build}.tar.bz2");
        json["packages"][key] = record("a", "1", &build, json!({}));
    }
    let limits = Limits {
        max_info_bytes: info.to_string().len(),
        max_keys: 2,
        ..Limits::default()
    };
    let json = upstream(&text(&json, false));
    let files = build(
        json,
        &|_| Keep::Keep,
        "x",
        &HashSet::new(),
        dir.path(),
        limits,
    )
    .unwrap();
    assert_eq!((files.records, files.shards.total), (10, 1));
}

#[test]
fn what_a_name_just_may_have_is_put_into_its_shard_with_the_sha256_that_was_added() {
    let mut json = json!({"packages": {}});
    for build in ["0", "1", "2"] {
        let record = json!({"name": "a", "version": "1", "build": build});
        json["packages"][format!("a-1-{build}.tar.bz2")] = record;
    }
    let json = text(&json, false);
    let admitted = |max_shard_bytes| {
        let limits = Limits {
            max_shard_bytes,
            ..Limits::default()
        };
        let mut sizes = NameSizes::new(&limits);
        let mut ordinals = HashSet::new();
        let mut scanner = Scanner::new(&*json, limits);
        while let Some(event) = scanner.next().unwrap() {
            if let Event::Record(entry) = event {
                let record = Record::parse(entry.section, entry.key.text, entry.json).unwrap();
                if sizes.admit(&record, &entry).is_ok() {
                    ordinals.insert(entry.ordinal);
                }
            }
        }
        (ordinals, limits)
    };
    for wanted in 1..=3 {
        let mut limits = (0..).map(admitted);
        let (ordinals, limits) = limits.find(|(some, _)| some.len() == wanted).unwrap();
        let keep = |ordinal| match ordinals.contains(&ordinal) {
            true => Keep::WithSha256([7; 32]),
            false => Keep::Drop,
        };
        let dir = tempfile::tempdir().unwrap();
        let json = upstream(&json);
        let files = build(json, &keep, "x", &HashSet::new(), dir.path(), limits).unwrap();
        assert_eq!((files.records, files.shards.total), (wanted as u64, 1));
    }
}

#[test]
fn records_around_an_unusable_one_are_in_the_index_and_in_their_shards() {
    let dir = tempfile::tempdir().unwrap();
    let record = |name: &str| record(name, "1", "0", json!({})).to_string();
    let json = format!(
        r#"{{"packages":{{"a-1-0.tar.bz2":{},"b-1-0.tar.bz2":{}{},"c-1-0.tar.bz2":{}}}}}"#,
        record("a"),
        "[".repeat(200),
        "]".repeat(200),
        record("c"),
    );
    let keep = |ordinal| match ordinal {
        0 => Keep::Drop,
        2 => Keep::Keep,
        other => panic!("asked about {other}"),
    };
    let files = build(
        upstream(json.as_bytes()),
        &keep,
        "x",
        &HashSet::new(),
        dir.path(),
        Limits::default(),
    )
    .unwrap();
    let published = RepoData::from_path(&files.json.path).unwrap();
    let listed: Vec<_> = published.packages.keys().collect();
    assert_eq!(listed, [&key("c-1-0.tar.bz2")]);
    assert_eq!((files.records, files.rewritten.dropped), (1, 2));
    let names: Vec<_> = files.shards.new.iter().map(|shard| &*shard.name).collect();
    assert_eq!(names, ["c"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_records_can_be_used_all_files_are_made_of_them(
        document in any_document(), wanted in any::<u64>(), max_shard_bytes in 0_u64..6_000,
    ) {
        let limits = Limits { max_shard_bytes, ..tight() };
        let mut sizes = NameSizes::new(&limits);
        let (mut kept, mut names) = (HashSet::new(), HashSet::new());
        let mut scanner = Scanner::new(document.as_bytes(), limits);
        while let Some(event) = scanner.next().unwrap() {
            if let Event::Record(entry) = event
                && wanted >> (entry.ordinal % 64) & 1 == 1
                && let Ok(record) = Record::parse(entry.section, entry.key.text, entry.json)
                && sizes.admit(&record, &entry).is_ok()
            {
                kept.insert(entry.ordinal);
                names.insert(record.file.name().to_owned());
            }
        }
        let keep = |ordinal| if kept.contains(&ordinal) { Keep::WithSha256([7; 32]) } else { Keep::Drop };
        let dir = tempfile::tempdir().unwrap();
        let files = build(upstream(document.as_bytes()), &keep, "x", &HashSet::new(), dir.path(), limits).unwrap();
        prop_assert_eq!((files.records, files.shards.total), (kept.len() as u64, names.len()));
        prop_assert_eq!(files.shards.new.len(), names.len());
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_that_names_it() {
    for name in [JSON, ZST, SHARD_PACK, SHARD_INDEX] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(name)).unwrap();
        let error = build(
            upstream(&text(&sample(), false)),
            &|_| Keep::Keep,
            "x",
            &HashSet::new(),
            dir.path(),
            Limits::default(),
        )
        .unwrap_err();
        assert!(
            matches!(&error, IndexError::Io { path, .. } if path.ends_with(name)),
            "{error:?}"
        );
    }
}

#[test]
fn shards_that_are_known_are_listed_but_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let make = |known: &HashSet<[u8; 32]>| {
        let upstream = upstream(&text(&sample(), false));
        let limits = Limits::default();
        build(upstream, &|_| Keep::Keep, "x", known, dir.path(), limits).unwrap()
    };
    let first = make(&HashSet::new());
    let known: HashSet<_> = first.shards.new.iter().map(|shard| shard.sha256).collect();
    let again = make(&known);
    assert_eq!(first.shards.new.len(), first.shards.total);
    assert_eq!(again.shards.new, []);
    assert_eq!(again.shards.total, first.shards.total);
    assert_eq!(again.shard_index.sha256, first.shard_index.sha256);
}
