use std::io::{Cursor, Write};

use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{Seen, parsed, scanned};
use crate::repodata::testing::{Dribble, any_document, tight};
use crate::repodata::{Event, Keep, Record, RepodataError, Scanner, read_at, removed, rewrite};

fn rewritten(json: &[u8], wanted: u64) -> Result<Vec<u8>, RepodataError> {
    let mut out = Vec::new();
    rewrite(&mut Cursor::new(json), &mut out, tight(), &|ordinal| {
        if is_wanted(wanted, ordinal) {
            Keep::Keep
        } else {
            Keep::Drop
        }
    })?;
    Ok(out)
}

fn is_wanted(wanted: u64, ordinal: u64) -> bool {
    wanted >> (ordinal % 64) & 1 == 1
}

/// What is published of a document: all its values, and its wanted records of sections that can be mirrored.
fn kept(document: &[Seen], wanted: u64) -> Vec<Seen> {
    let mut ordinal = 0;
    let is_kept = |seen: &&Seen| {
        let (Seen::Record { mirrored, .. } | Seen::Unusable { mirrored }) = seen else {
            return true;
        };
        ordinal += 1;
        *mirrored && matches!(seen, Seen::Record { .. }) && is_wanted(wanted, ordinal - 1)
    };
    document.iter().filter(is_kept).cloned().collect()
}

fn is_info(seen: &Seen) -> bool {
    matches!(seen, Seen::Value { key, .. } if key == "\"info\"")
}

/// The steps from the opening of a section that was added because it was absent.
fn added(key: &str) -> [Seen; 2] {
    [Seen::Open(key.to_owned()), Seen::Close]
}

/// Everything that reads untrusted repodata, for the panics in it.
fn try_everything(json: &[u8], at_once: usize) {
    let mut scanner = Scanner::new(
        Dribble {
            source: json,
            at_once,
            count: 0,
        },
        tight(),
    );
    while let Ok(Some(event)) = scanner.next() {
        match event {
            Event::Record(entry) => {
                let _ = Record::parse(entry.section, entry.key.text, entry.json);
            }
            Event::Value { json, .. } => drop(removed(json).count()),
            _ => {}
        }
    }
    let _ = rewritten(json, u64::MAX);
}

/// One change to some bytes.
fn change(bytes: &mut Vec<u8>, (kind, at, byte, len): (u8, Index, u8, usize)) {
    let at = at.index(bytes.len());
    let end = (at + len).min(bytes.len());
    match kind {
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => drop(bytes.drain(at..end)),
        _ => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
    }
    if bytes.is_empty() {
        bytes.push(byte);
    }
}

fn any_change() -> impl Strategy<Value = (u8, Index, u8, usize)> {
    let byte = prop_oneof![prop::sample::select(b"{}[]\",:\\ 0".to_vec()), any::<u8>(),];
    (0_u8..4, any::<Index>(), byte, 1_usize..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_document_is_delivered_as_a_json_parser_sees_it(document in any_document(), at_once in 1_usize..400) {
        let input = Dribble { source: document.as_bytes(), at_once, count: 0 };
        prop_assert_eq!(Some(scanned(input, tight()).unwrap()), parsed(document.as_bytes(), tight()));
    }

    #[test]
    fn every_record_that_is_delivered_can_be_read_again(document in any_document()) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(document.as_bytes()).unwrap();
        let mut scanner = Scanner::new(document.as_bytes(), tight());
        while let Some(event) = scanner.next().unwrap() {
            if let Event::Record(entry) = event {
                let again = read_at(&file, entry.offset, tight()).unwrap();
                prop_assert_eq!((&*again.key, &*again.json), (entry.key.text, entry.json));
            }
        }
    }

    #[test]
    fn what_is_published_is_what_was_kept_byte_for_byte(document in any_document(), wanted in any::<u64>()) {
        let before = parsed(document.as_bytes(), tight()).unwrap();
        let out = rewritten(document.as_bytes(), wanted).unwrap();
        let after = parsed(&out, tight()).unwrap();
        prop_assert_eq!(&scanned(&*out, tight()).unwrap(), &after);
        let mut expected = kept(&before, wanted);
        let conda = r#""p\u0061ckages.conda""#;
        if !expected.iter().any(|seen| *seen == Seen::Open(conda.to_owned())) {
            expected.extend(added("\"packages.conda\""));
        }
        let but_info = |seen: &[Seen]| seen.iter().filter(|seen| !is_info(seen)).cloned().collect::<Vec<_>>();
        prop_assert_eq!(but_info(&after), but_info(&expected));

        let info = |document: &[u8]| serde_json::from_slice::<serde_json::Value>(document).map(|it| it["info"].clone());
        let (Ok(mut before), Ok(mut after)) = (info(document.as_bytes()), info(&out)) else {
            // A value nested too deep for it.
            return Ok(());
        };
        for info in [&mut before, &mut after] {
            if let Some(info) = info.as_object_mut() {
                info.remove("repodata_revisions");
            }
        }
        prop_assert_eq!(after.get("base_url"), None);
        if let Some(before) = before.as_object_mut() {
            before.remove("base_url");
        }
        prop_assert_eq!(before, after);
    }

    #[test]
    fn what_was_published_is_published_again_without_a_change(document in any_document(), wanted in any::<u64>()) {
        let once = rewritten(document.as_bytes(), wanted).unwrap();
        let twice = rewritten(&once, u64::MAX).unwrap();
        prop_assert_eq!(String::from_utf8(once).unwrap(), String::from_utf8(twice).unwrap());
    }

    #[test]
    fn a_document_cut_off_anywhere_is_an_error(document in any_document(), cut in any::<Index>(), at_once in 1_usize..400) {
        let end = cut.index(document.len());
        let input = Dribble { source: &document.as_bytes()[..end], at_once, count: 0 };
        match scanned(input, tight()) {
            Err(RepodataError::CutOff { offset, .. }) => prop_assert_eq!(offset, end as u64),
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(rewritten(&document.as_bytes()[..end], u64::MAX).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..100), tail in "[{}\\[\\]\",:a1\\\\ ]{0,60}", at_once in 1_usize..9,
    ) {
        try_everything(&bytes, at_once);
        try_everything(format!("{{\"packages\":{{{tail}").as_bytes(), at_once);
    }

    #[test]
    fn a_damaged_document_is_refused_or_read_as_a_json_parser_does(
        document in any_document(), changes in prop::collection::vec(any_change(), 1..4), at_once in 1_usize..400,
    ) {
        let mut bytes = document.into_bytes();
        for made in changes {
            change(&mut bytes, made);
        }
        try_everything(&bytes, at_once);
        // What is broken within a record, or only there twice, one of them minds and the other does not.
        if let (Ok(scanned), Some(parsed)) = (scanned(&*bytes, tight()), parsed(&bytes, tight())) {
            prop_assert_eq!(scanned, parsed);
        }
    }
}
