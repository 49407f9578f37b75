#![allow(clippy::unwrap_used)]
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{Seek, Write};

use proptest::prelude::*;
use rattler_conda_types::{RepoData, Shard, ShardedRepodata};
use rattler_digest::{Sha256, compute_bytes_digest};
use serde_json::{Value, json};

use super::*;
use crate::repodata::testing::{any_repodata, record, sample, text};
use crate::repodata::{Keep, Limits, rewrite};

fn file(json: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(json).unwrap();
    file.rewind().unwrap();
    file
}

/// The published form of an index, everything kept.
fn published(repodata: &Value) -> File {
    let mut out = Vec::new();
    rewrite(
        &mut file(&text(repodata, false)),
        &mut out,
        Limits::default(),
        &|_| Keep::Keep,
    )
    .unwrap();
    file(&out)
}

fn built(repodata: &Value) -> (Shards, Vec<u8>) {
    let mut pack = Vec::new();
    let shards = build(
        &published(repodata),
        "linux-64",
        &HashSet::new(),
        &mut pack,
        Limits::default(),
    )
    .unwrap();
    (shards, pack)
}

fn bytes<'a>(shard: &NewShard, pack: &'a [u8]) -> &'a [u8] {
    &pack[usize::try_from(shard.offset).unwrap()..][..usize::try_from(shard.len).unwrap()]
}

fn decoded(frame: &[u8]) -> Vec<u8> {
    assert!(
        zstd::zstd_safe::get_frame_content_size(frame)
            .unwrap()
            .is_some(),
        "clients need the content size"
    );
    zstd::decode_all(frame).unwrap()
}

#[test]
fn rattler_finds_every_record_of_the_index_in_its_shard_and_no_other() {
    let repodata = {
        let mut json = sample();
        json["packages.conda"]["zlib-1.3-h_0.conda"]["sha256"] = json!("cd".repeat(32));
        json
    };
    let (shards, pack) = built(&repodata);
    let index: ShardedRepodata = rmp_serde::from_slice(&decoded(&shards.index)).unwrap();
    assert_eq!(
        (
            &*index.info.subdir,
            &*index.info.base_url,
            &*index.info.shards_base_url
        ),
        ("linux-64", "", "./shards/")
    );
    assert!(index.info.created_at.is_none());
    assert_eq!(
        index.info.channel_relations.unwrap().base.as_deref(),
        Some("../conda-forge")
    );
    assert_eq!(index.info.repodata_revisions.len(), 3);
    assert_eq!(
        index
            .shards
            .keys()
            .map(|name| &**name)
            .collect::<BTreeSet<_>>(),
        BTreeSet::from(["_libgcc", "new", "pillow", "zlib"])
    );

    let mut whole: RepoData = serde_json::from_value(repodata).unwrap();
    whole.v3.whl.clear();
    for shard in &shards.new {
        assert_eq!(
            <[u8; 32]>::from(compute_bytes_digest::<Sha256>(bytes(shard, &pack))),
            shard.sha256
        );
        assert_eq!(index.shards[&shard.name].as_slice(), shard.sha256);
        let shard: Shard = rmp_serde::from_slice(&decoded(bytes(shard, &pack))).unwrap();
        for (key, record) in shard.packages {
            assert_eq!(whole.packages.shift_remove(&key), Some(record));
        }
        for (key, record) in shard.conda_packages {
            assert_eq!(whole.conda_packages.shift_remove(&key), Some(record));
        }
        for (key, record) in shard.v3.conda {
            assert_eq!(whole.v3.conda.remove(&key), Some(record));
        }
        for (key, record) in shard.v3.tar_bz2 {
            assert_eq!(whole.v3.tar_bz2.remove(&key), Some(record));
        }
    }
    assert!(
        whole.packages.is_empty() && whole.conda_packages.is_empty() && whole.v3.is_empty(),
        "{whole:?}"
    );
}

#[test]
fn a_shard_has_both_package_maps_and_binary_hashes() {
    let json = format!(
        r#"{{"packages":{{"a-1-0.tar.bz2":{{"name":"a","version":"1","build":"0","md5":"{}","sha256":"{}"}}}}}}"#,
        "00".repeat(16),
        "ab".repeat(32),
    );
    let mut pack = Vec::new();
    let shards = build(
        &file(json.as_bytes()),
        "x",
        &HashSet::new(),
        &mut pack,
        Limits::default(),
    )
    .unwrap();
    let mut expected = vec![0x82];
    expected.extend(b"\xa8packages\x81\xada-1-0.tar.bz2\x85\xa4name\xa1a\xa7version\xa11\xa5build\xa10\xa3md5\xc4\x10");
    expected.extend([0; 16]);
    expected.extend(b"\xa6sha256\xc4\x20");
    expected.extend([0xab; 32]);
    expected.extend(b"\xaepackages.conda\x80");
    assert_eq!(decoded(bytes(&shards.new[0], &pack)), expected);
}

#[test]
fn the_order_of_the_index_does_not_change_the_shards() {
    let one = r#"{"name":"a","version":"1","build":"0"}"#;
    let two = r#"{"name":"a","version":"2","build":"0"}"#;
    let make = |first: (&str, &str), second: (&str, &str)| {
        let json = format!(
            r#"{{"packages":{{"{}":{},"{}":{}}}}}"#,
            first.0, first.1, second.0, second.1
        );
        let mut pack = Vec::new();
        (
            build(
                &file(json.as_bytes()),
                "x-1",
                &HashSet::new(),
                &mut pack,
                Limits::default(),
            )
            .unwrap(),
            pack,
        )
    };
    let (a, b) = (("a-1-0.tar.bz2", one), ("a-2-0.tar.bz2", two));
    assert_eq!(make(a, b), make(b, a));
}

#[test]
fn of_two_records_with_one_key_the_last_counts() {
    let json = br#"{"packages":{"a-1-0.tar.bz2":{"name":"a","version":"1","build":"0","size":1},"a-1-0.tar.bz2":{"name":"a","version":"1","build":"0","size":2}}}"#;
    let mut pack = Vec::new();
    let shards = build(
        &file(json),
        "x",
        &HashSet::new(),
        &mut pack,
        Limits::default(),
    )
    .unwrap();
    let shard: Value = rmp_serde::from_slice(&decoded(bytes(&shards.new[0], &pack))).unwrap();
    assert_eq!(
        shard["packages"],
        json!({"a-1-0.tar.bz2": {"name": "a", "version": "1", "build": "0", "size": 2}})
    );
}

#[test]
fn shards_that_the_registry_has_are_listed_but_not_written() {
    let (all, _) = built(&sample());
    let mut changed = sample();
    changed["packages"]["zlib-1.1-h_0.tar.bz2"] = record("zlib", "1.1", "h_0", json!({}));
    let known = all.new.iter().map(|shard| shard.sha256).collect();
    let mut pack = Vec::new();
    let second = build(
        &published(&changed),
        "linux-64",
        &known,
        &mut pack,
        Limits::default(),
    )
    .unwrap();
    assert_eq!(
        second
            .new
            .iter()
            .map(|shard| &*shard.name)
            .collect::<Vec<_>>(),
        ["zlib"]
    );
    assert_eq!(pack.len() as u64, second.new[0].len);
    assert_eq!(second.total, all.total);
    assert_eq!(read_index(&second.index).unwrap().len(), 4);
}

#[test]
fn a_name_with_too_many_records_is_named() {
    let limits = Limits {
        max_shard_bytes: 500,
        ..Limits::default()
    };
    let error = build(
        &published(&sample()),
        "x",
        &HashSet::new(),
        &mut Vec::new(),
        limits,
    )
    .unwrap_err();
    assert!(
        matches!(&error, ShardError::TooLarge { limit: 500, name, .. } if name == "zlib"),
        "{error:?}"
    );
}

#[test]
fn an_index_is_read_in_every_form_that_exists() {
    let hash = [0xab_u8; 32];
    let hex = "ab".repeat(32);
    let array =
        rmp_serde::to_vec_named(&json!({"info": {"subdir": "x"}, "shards": {"a": hash, "b": hex}}))
            .unwrap();
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&array).unwrap();
    let sizeless = encoder.finish().unwrap();
    assert_eq!(
        zstd::zstd_safe::get_frame_content_size(&sizeless).unwrap(),
        None
    );
    assert_eq!(
        read_index(&sizeless).unwrap(),
        [("a".to_owned(), hash), ("b".to_owned(), hash)].into()
    );
    for bad in [
        json!({}),
        json!({"shards": {"a": [1, 2]}}),
        json!({"shards": {"a": "xyz"}}),
        json!({"shards": {"a": vec![1; 33]}}),
        json!([1]),
    ] {
        let frame = zstd::encode_all(&*rmp_serde::to_vec_named(&bad).unwrap(), 3).unwrap();
        assert!(
            matches!(read_index(&frame), Err(ShardError::Index(_))),
            "{bad}"
        );
    }
    assert!(read_index(b"<html>").is_err() && read_index(b"").is_err());
    assert!(read_index(&zstd::encode_all(&*vec![0; 65 << 20], 1).unwrap()).is_err());
}

proptest! {
    #[test]
    fn shards_and_index_agree_for_any_repodata(repodata in any_repodata()) {
        let (shards, pack) = built(&repodata);
        let listed = read_index(&shards.index).unwrap();
        prop_assert_eq!(listed.len(), shards.total);
        let sections = ["/packages", "/packages.conda", "/v3/conda", "/v3/tar.bz2"];
        let records = sections.iter().filter_map(|path| repodata.pointer(path)?.as_object()).map(|section| section.len());
        let mut sharded = 0;
        for new in &shards.new {
            prop_assert_eq!(listed.get(&new.name), Some(&new.sha256));
            let shard: Shard = rmp_serde::from_slice(&decoded(bytes(new, &pack))).unwrap();
            let v3 = shard.v3.records().map(|(_, record)| record);
            for record in shard.packages.values().chain(shard.conda_packages.values()).chain(v3) {
                prop_assert_eq!(record.name.as_normalized(), &*new.name);
                sharded += 1;
            }
        }
        prop_assert_eq!(sharded, records.sum::<usize>());
        prop_assert_eq!(built(&repodata), (shards, pack));
    }
}

#[test]
fn a_record_over_a_limit_is_an_error_and_not_missing_from_its_shard() {
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    let json = format!(r#"{{"packages":{{"deep-1-0.tar.bz2":{deep}}}}}"#);
    let error = build(
        &file(json.as_bytes()),
        "x",
        &HashSet::new(),
        &mut Vec::new(),
        Limits::default(),
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("deep-1-0.tar.bz2") && text.contains("64 levels"),
        "{text}"
    );
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let mut repodata = json!({"packages": {}, "packages.conda": {}});
    for number in 0..400 {
        let name = format!("p{number}");
        // Compressors behave by the size of what they are given: large and small ones take turns.
        let most = match number % 100 {
            50 => 40_000,
            _ => (number * 7) % 90,
        };
        let depends: Vec<_> = (0..most).map(|n| format!("q{number} >={n}")).collect();
        for build in ["0", "1"] {
            repodata["packages.conda"][format!("{name}-1-{build}.conda")] =
                record(&name, "1", build, json!({"depends": depends}));
        }
    }
    // Large enough to be made apart from the others.
    let heavy = vec!["x".repeat(1000); 900];
    for build in 0..6 {
        let build = build.to_string();
        repodata["packages"][format!("p200-1-{build}.tar.bz2")] =
            record("p200", "1", &build, json!({"depends": heavy}));
    }
    let index = published(&repodata);
    let make = |threads| {
        let mut pack = Vec::new();
        let known = HashSet::new();
        let limits = Limits::default();
        let shards = super::build::build_on(threads, &index, "x", &known, &mut pack, limits);
        (shards.unwrap(), pack)
    };
    // The caller's own thread makes all of them.
    let alone = make(0);
    assert_eq!(alone.0.total, 400);
    for threads in [1, 2, 3, 7] {
        assert!(make(threads) == alone, "{threads} threads");
    }
    // No compressor keeps anything of what it was given before.
    let mut sizes = BTreeSet::new();
    for shard in &alone.0.new {
        let frame = bytes(shard, &alone.1);
        let content = decoded(frame);
        sizes.insert(content.len());
        let fresh = zstd::bulk::compress(&content, crate::zst::LEVEL).unwrap();
        assert!(fresh == frame, "{} of {} bytes", shard.name, content.len());
    }
    let (least, most) = (sizes.first().unwrap(), sizes.last().unwrap());
    assert!(*least < 400 && *most > 3_000_000, "{least} to {most}");
}
