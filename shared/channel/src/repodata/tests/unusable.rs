//! Records over a limit: passed over without being kept, and the others are delivered.

use std::io::{self, Read, Seek, repeat};

use crate::repodata::testing::Dribble;
use crate::repodata::{Event, Limits, RepodataError, Scanner, read_at};

/// What was delivered: the keys of records, and of unusable ones the number, the key and the error.
#[derive(Debug, Default)]
struct Found {
    records: Vec<(u64, String)>,
    unusable: Vec<(u64, String, RepodataError)>,
}

fn scan(input: impl Read, limits: Limits) -> Result<Found, RepodataError> {
    let mut scanner = Scanner::new(input, limits);
    let mut found = Found::default();
    while let Some(event) = scanner.next()? {
        match event {
            Event::Record(entry) => found
                .records
                .push((entry.ordinal, entry.key.text.to_owned())),
            Event::Unusable {
                ordinal,
                key,
                error,
                ..
            } => found.unusable.push((ordinal, key, error)),
            _ => {}
        }
    }
    Ok(found)
}

/// An index of three records: `a`, this one, `z`.
fn between(member: &str) -> String {
    format!(r#"{{"packages":{{"a":{{}},{member},"z":{{}}}},"info":{{}}}}"#)
}

/// The index is read, the records around this one are delivered, and this one's key and error are given.
fn passed_over(member: &str) -> (String, RepodataError) {
    let found = scan(between(member).as_bytes(), Limits::default()).unwrap();
    let records = [(0, "a".to_owned()), (2, "z".to_owned())];
    assert_eq!(found.records, records, "{found:?}");
    let [(1, key, error)] = <[_; 1]>::try_from(found.unusable).unwrap() else {
        panic!("not the second");
    };
    (key, error)
}

#[test]
fn a_record_nested_too_deep_is_passed_over_and_the_others_are_delivered() {
    for levels in [65, 128, 129, 100_000] {
        let member = format!("\"deep\":{}{}", "[".repeat(levels), "]".repeat(levels));
        let (key, error) = passed_over(&member);
        assert_eq!(key, "deep");
        // After the 20 bytes before it, its key and 64 levels.
        let expected = 20 + 7 + 64;
        assert!(
            matches!(error, RepodataError::TooDeep { limit: 64, offset } if offset == expected),
            "{error:?}"
        );
    }
}

#[test]
fn the_brackets_of_what_is_passed_over_are_matched_like_any_other() {
    // What is in strings, or in the wrong bracket, must not pass for the record's end: what follows would be records of
    // its author's choosing that no other reader of JSON sees.
    let deep = "[".repeat(100);
    let closed = "]".repeat(100);
    for inner in [r#""]]]]\"]]}},\"evil\":{}""#, r#"{"]":"}"},[{}],"\\""#] {
        let (key, _) = passed_over(&format!(r#""deep":{deep}{inner}{closed}"#));
        assert_eq!(key, "deep");
    }
    for broken in [
        format!(r#""deep":{deep}{{]}}{closed}"#),
        format!(r#""deep":{deep}}}{closed}"#),
        format!(r#""deep":{deep}{closed}],"evil":{{}}"#),
    ] {
        let result = scan(between(&broken).as_bytes(), Limits::default());
        assert!(
            matches!(result, Err(RepodataError::Syntax { .. })),
            "{result:?}"
        );
    }
    let unclosed = between(&format!(r#""deep":{deep}"#));
    let result = scan(unclosed.as_bytes(), Limits::default());
    assert!(
        matches!(result, Err(RepodataError::Syntax { .. })),
        "{result:?}"
    );
}

#[test]
fn nesting_that_takes_more_than_bounded_memory_to_follow_is_an_error_of_the_index() {
    let levels = 1 << 20;
    let member = format!("\"deep\":{}{}", "[".repeat(levels), "]".repeat(levels));
    passed_over(&member);
    let member = format!("\"deep\":[{}{}]", "[".repeat(levels), "]".repeat(levels));
    let error = scan(between(&member).as_bytes(), Limits::default()).unwrap_err();
    assert!(
        matches!(
            error,
            RepodataError::TooDeep {
                limit: 1_048_576,
                ..
            }
        ),
        "{error:?}"
    );
}

/// Tells how much was asked of it at once: as much as the buffer had room for.
struct Asked<R> {
    source: R,
    most: usize,
}

impl<R: Read> Read for Asked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.most = self.most.max(buf.len());
        self.source.read(buf)
    }
}

#[test]
fn a_string_of_200_mb_is_passed_over_in_bounded_memory() {
    for (start, end, key, what) in [
        (r#""a":{},"large":{"b":""#, r#""},"#, "large", "a record"),
        (r#""a":{},"large":""#, r#"","#, "large", "a record"),
        (r#""a":{},""#, r#"":{"b":[]},"#, "xxxxx", "a key"),
    ] {
        let json = format!(r#"{{"packages":{{{start}"#);
        let rest = format!(r#"{end}"z":{{}}}}}}"#);
        let mut input = Asked {
            source: json
                .as_bytes()
                .chain(repeat(b'x').take(200 << 20))
                .chain(rest.as_bytes()),
            most: 0,
        };
        let found = scan(&mut input, Limits::default()).unwrap();
        let records = [(0, "a".to_owned()), (2, "z".to_owned())];
        assert_eq!(found.records, records);
        let [(1, shown, error)] = &found.unusable[..] else {
            panic!("{found:?}");
        };
        assert!(shown.starts_with(key) && shown.len() <= 103, "{shown}");
        assert!(
            matches!(error, RepodataError::TooLarge { what: w, .. } if *w == what),
            "{error:?}"
        );
        assert!(error.to_string().len() < 300, "{error}");
        assert!(input.most <= 4 << 20, "room for {} bytes", input.most);
    }
}

#[test]
fn white_space_counts_for_the_record_it_stands_in() {
    let spaces = " ".repeat(2 << 20);
    let (_, error) = passed_over(&format!("\"spaces\":{spaces}{{}}"));
    assert!(matches!(error, RepodataError::TooLarge { .. }), "{error:?}");
}

/// The same document in pieces of so many bytes each.
fn in_pieces(json: &str, at_once: usize) -> impl Read {
    Dribble {
        source: json.as_bytes(),
        at_once,
        count: 0,
    }
}

#[test]
fn whether_a_record_can_be_used_does_not_depend_on_what_was_read_at_once() {
    let limit = Limits::default().max_record_bytes;
    let mut file = tempfile::tempfile().unwrap();
    for (before, behind, usable) in [
        (5_000, 0, true),
        (0, 5_000, true),
        (limit - 1, 0, true),
        (0, limit - 1, true),
        (limit, 0, false),
        (0, limit, false),
        (limit / 2, limit / 2, false),
    ] {
        let spaces = |count| " ".repeat(count);
        let json = between(&format!(
            "\"spaced\"{}:{}{{}}",
            spaces(before),
            spaces(behind)
        ));
        for at_once in [1_000, 4_096, 100_000, usize::MAX] {
            let found = scan(in_pieces(&json, at_once), Limits::default()).unwrap();
            assert_eq!(
                (found.records.len(), found.unusable.len()),
                if usable { (3, 0) } else { (2, 1) },
                "{before} {behind} {at_once}"
            );
        }
        file.rewind().unwrap();
        io::Write::write_all(&mut file, json.as_bytes()).unwrap();
        let again = read_at(&file, 20, Limits::default());
        assert_eq!(again.is_ok(), usable, "{before} {behind}: {again:?}");
    }
}

#[test]
fn white_space_beside_the_records_spoils_no_index() {
    let spaces = " ".repeat(5_000);
    let json = format!(
        r#"{{"packages"{spaces}:{spaces}{{"a":{{}}}},"v3"{spaces}:{{"conda":{spaces}{{}},"x"{spaces}:{spaces}1}},"info":{spaces}{{}}}}"#
    );
    for at_once in [1, 1_000, usize::MAX] {
        let found = scan(in_pieces(&json, at_once), Limits::default()).unwrap();
        assert_eq!(found.records, [(0, "a".to_owned())]);
    }
}

#[test]
fn a_key_that_is_no_text_spoils_no_other_record() {
    for (key, shown) in [
        ("\"bad\u{1}\"", "bad\u{1}"),
        (r#""\ud800""#, r#"\ud800""#),
        (r#""\x""#, r#"\x""#),
    ] {
        let (name, error) = passed_over(&format!("{key}:{{}}"));
        assert!(name.starts_with(shown.trim_end_matches('"')), "{name:?}");
        assert!(
            matches!(error, RepodataError::Key { offset: 20, .. }),
            "{error:?}"
        );
    }
}

#[test]
fn every_record_of_an_index_may_be_unusable() {
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    let json =
        format!(r#"{{"packages":{{"a":{deep},"b":{deep}}},"v3":{{"conda":{{"c":{deep}}}}}}}"#);
    let found = scan(json.as_bytes(), Limits::default()).unwrap();
    assert_eq!(found.records, []);
    let keys: Vec<_> = found
        .unusable
        .iter()
        .map(|(at, key, _)| (*at, &**key))
        .collect();
    assert_eq!(keys, [(0, "a"), (1, "b"), (2, "c")]);
}

#[test]
fn an_unusable_record_cannot_be_read_again() {
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    let json = format!(r#"{{"packages":{{"a":{deep}}}}}"#);
    let mut file = tempfile::tempfile().unwrap();
    io::Write::write_all(&mut file, json.as_bytes()).unwrap();
    let error = read_at(&file, 13, Limits::default()).unwrap_err();
    assert!(matches!(error, RepodataError::TooDeep { .. }), "{error:?}");
}
