use serde_json::{Map, Value, json};

use crate::name::ArchiveType;
use crate::repodata::testing::{Dribble, sample, text};
use crate::repodata::{Event, Limits, RepodataError, Scanner, Section};

/// The whole index put together again from what the scanner delivers.
fn scanned(json: &[u8], at_once: usize) -> Result<Value, RepodataError> {
    let mut scanner = Scanner::new(
        Dribble {
            source: json,
            at_once,
            count: 0,
        },
        Limits::default(),
    );
    let mut open = vec![(String::new(), Map::new())];
    let mut ordinal = 0;
    while let Some(event) = scanner.next()? {
        match event {
            Event::Open { key, .. } => open.push((key.text.to_owned(), Map::new())),
            Event::Close => {
                let (key, object) = open.pop().unwrap();
                open.last_mut()
                    .unwrap()
                    .1
                    .insert(key, Value::Object(object));
            }
            Event::Record(entry) => {
                assert_eq!(entry.ordinal, ordinal);
                ordinal += 1;
                let start = usize::try_from(entry.offset).unwrap();
                assert!(json[start..].starts_with(entry.key.raw));
                assert!(json[..start + usize::try_from(entry.len).unwrap()].ends_with(entry.json));
                let value = serde_json::from_slice(entry.json).unwrap();
                open.last_mut()
                    .unwrap()
                    .1
                    .insert(entry.key.text.to_owned(), value);
            }
            Event::Unusable { error, .. } => return Err(error),
            Event::Value {
                key,
                json: value,
                offset,
            } => {
                assert!(json[usize::try_from(offset).unwrap()..].starts_with(value));
                open.last_mut()
                    .unwrap()
                    .1
                    .insert(key.text.to_owned(), serde_json::from_slice(value).unwrap());
            }
        }
    }
    assert_eq!(open.len(), 1);
    Ok(Value::Object(open.pop().unwrap().1))
}

fn error(json: &[u8]) -> RepodataError {
    scanned(json, usize::MAX).unwrap_err()
}

#[test]
fn records_know_their_sections() {
    let json = text(&sample(), false);
    let mut scanner = Scanner::new(&*json, Limits::default());
    let mut sections = Vec::new();
    while let Some(event) = scanner.next().unwrap() {
        if let Event::Record(entry) = event {
            sections.push(entry.section);
        }
    }
    sections.dedup();
    let (conda, bz2) = (
        Section::V3(ArchiveType::Conda),
        Section::V3(ArchiveType::TarBz2),
    );
    assert_eq!(
        sections,
        [
            Section::Packages,
            Section::PackagesConda,
            conda,
            bz2,
            Section::Wheel
        ]
    );
    assert!(scanner.next().unwrap().is_none());
}

#[test]
fn later_revisions_and_unknown_package_maps_are_not_mirrored_records() {
    let json = text(
        &json!({"packages.whl": {"a": {}}, "v4": {"conda": {"b": {}}}, "v3": {"zip": {"c": {}}}, "v5": 1}),
        false,
    );
    let mut scanner = Scanner::new(&*json, Limits::default());
    let mut keys = Vec::new();
    while let Some(event) = scanner.next().unwrap() {
        if let Event::Record(entry) = event {
            assert_eq!(entry.section, Section::Unsupported);
            keys.push(entry.key.text.to_owned());
        }
    }
    keys.sort();
    assert_eq!(keys, ["a", "b", "c"]);
}

#[test]
fn cut_off_at_any_byte_is_an_error_that_says_so() {
    let json = text(&sample(), true);
    for end in 0..json.len() {
        match scanned(&json[..end], 64) {
            Err(RepodataError::CutOff { offset, .. }) => assert_eq!(offset, end as u64),
            other => panic!("{end}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_repodata_is_told_apart() {
    assert!(matches!(
        error(b"\n<!doctype html>"),
        RepodataError::Html { offset: 1 }
    ));
    assert!(matches!(
        error(b"\x28\xb5\x2f\xfd\0\0"),
        RepodataError::Compressed { format: "zstd" }
    ));
    assert!(matches!(
        error(b"\x1f\x8b\x08"),
        RepodataError::Compressed { format: "gzip" }
    ));
    assert!(matches!(
        error(b"BZh9"),
        RepodataError::Compressed { format: "bzip2" }
    ));
    assert!(matches!(
        error(b"[]"),
        RepodataError::Syntax { offset: 0, .. }
    ));
    assert!(matches!(
        error(b"not found"),
        RepodataError::Syntax { offset: 0, .. }
    ));
    assert!(matches!(
        error(b"{} x"),
        RepodataError::Syntax { offset: 3, .. }
    ));
}

#[test]
fn broken_structure_is_named_with_its_byte() {
    for (json, at) in [
        (r#"{"packages":[]}"#, 12),
        (r#"{"packages":null}"#, 12),
        (r#"{"v3":7}"#, 6),
        (r#"{"v3":{"conda":[]}}"#, 15),
        (r#"{"packages":{"a":{}"b":{}}}"#, 19),
        (r#"{"packages":{"a":{}},}"#, 21),
        (r#"{"packages":{"a":{"b":[}]}}}"#, 23),
        (r#"{"packages":{"a" {}}}"#, 17),
        (r#"{packages:{}}"#, 1),
        (r#"{,}"#, 1),
        (r#"{"packages":{"a":?}}"#, 17),
    ] {
        let error = error(json.as_bytes());
        assert!(
            matches!(error, RepodataError::Syntax { offset, .. } if offset == at),
            "{json}: {error:?}"
        );
    }
    assert!(matches!(
        error(br#"{"info":{"a":tru}}"#),
        RepodataError::Value { offset: 8, .. }
    ));
    assert!(matches!(
        error(b"{\"packages\":{\"\xff\":{}}}"),
        RepodataError::Key { offset: 13, .. }
    ));
}

#[test]
fn a_broken_record_is_delivered_and_spoils_no_other() {
    let json = br#"{"packages":{"a":{"x" 1},"b":tru,"c":{}}}"#;
    let mut scanner = Scanner::new(&json[..], Limits::default());
    let mut records = Vec::new();
    while let Some(event) = scanner.next().unwrap() {
        if let Event::Record(entry) = event {
            records.push(String::from_utf8(entry.json.to_vec()).unwrap());
        }
    }
    assert_eq!(records, [r#"{"x" 1}"#, "tru", "{}"]);
}

#[test]
fn a_key_twice_is_an_error_outside_of_records() {
    for json in [
        r#"{"info":1,"info":2}"#,
        r#"{"packages":{},"packages":{}}"#,
        r#"{"v3":{"whl":{},"w\u0068l":{}}}"#,
    ] {
        assert!(
            matches!(error(json.as_bytes()), RepodataError::DuplicateKey { .. }),
            "{json}"
        );
    }
    assert!(
        scanned(
            br#"{"packages":{"a":{},"a":{}},"v3":{"conda":{}},"v4":{"conda":{}}}"#,
            9
        )
        .is_ok()
    );
}

#[test]
fn info_that_the_shard_index_could_not_hold_is_an_error_of_the_index() {
    for info in [
        r#"{"channel_relations":{"x":1e999}}"#,
        r#"{"channel_relations":{"x":"\ud800"}}"#,
        r#"{"\ud800":1}"#,
        "-1e999",
    ] {
        let error = error(format!(r#"{{"info":{info}}}"#).as_bytes());
        assert!(
            matches!(&error, RepodataError::Value { key, offset: 8, .. } if key == "info"),
            "{info}: {error:?}"
        );
    }
    // What is only copied may be what it likes, as long as it is JSON.
    let json = br#"{"x":1e999,"v3":{"info":[1e999]}}"#;
    let mut scanner = Scanner::new(&json[..], Limits::default());
    while scanner.next().unwrap().is_some() {}
}

#[test]
fn a_record_larger_than_the_read_buffer_arrives_whole() {
    let long = "x\\\"".repeat(150_000);
    let json = json!({"packages": {"a": {"long": long}, "b": {}}, "packages.conda": {}});
    assert_eq!(scanned(&text(&json, false), 70_000).unwrap(), json);
}
