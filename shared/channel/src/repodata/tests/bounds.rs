use std::io::{Read, repeat};

use crate::repodata::testing::Dribble;
use crate::repodata::{Event, Limits, RepodataError, Scanner};

/// Scans to the end, the first error or the first unusable record.
fn scan(json: impl Read, limits: Limits) -> Result<(), RepodataError> {
    let mut scanner = Scanner::new(json, limits);
    while let Some(event) = scanner.next()? {
        if let Event::Unusable { error, .. } = event {
            return Err(error);
        }
    }
    Ok(())
}

#[test]
fn nesting_of_a_value_stops_at_the_limit_and_not_before() {
    let nested = |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(scan(nested(64).as_bytes(), Limits::default()).is_ok());
    assert!(matches!(
        scan(nested(65).as_bytes(), Limits::default()),
        Err(RepodataError::TooDeep {
            offset: 69,
            limit: 64
        })
    ));
    assert!(matches!(
        scan(
            format!("{{\"x\":{}", "[{\"a\":".repeat(100_000)).as_bytes(),
            Limits::default()
        ),
        Err(RepodataError::TooDeep { .. })
    ));
}

#[test]
fn a_huge_string_that_is_no_record_is_refused_early_and_not_buffered() {
    for (start, what, most) in [
        ("{\"info\":\"", "an `info`", 3 << 20),
        ("{\"info\":{\"info\":\"", "an `info`", 3 << 20),
        ("{\"v3\":{\"info\":\"", "a value", 20 << 20),
        ("{\"removed\":[\"", "a value", 20 << 20),
        ("{\"", "a key", 3 << 20),
        ("{\"v3\":{\"", "a key", 3 << 20),
    ] {
        let endless = start.as_bytes().chain(repeat(b'x').take(200 << 20));
        let mut source = Dribble {
            source: endless,
            at_once: 1 << 20,
            count: 0,
        };
        let limits = Limits {
            max_value_bytes: 8 << 20,
            ..Limits::default()
        };
        let error = scan(&mut source, limits).unwrap_err();
        assert!(
            matches!(error, RepodataError::TooLarge { what: w, .. } if w == what),
            "{error:?}"
        );
        assert!(source.count < most, "{} bytes read", source.count);
    }
}

#[test]
fn limits_hold_for_what_is_already_in_the_buffer() {
    let limits = Limits {
        max_record_bytes: 10,
        max_value_bytes: 10,
        max_info_bytes: 5,
        max_key_bytes: 4,
        max_keys: 4,
        ..Limits::default()
    };
    let scan = |json: &str| scan(json.as_bytes(), limits);
    assert!(scan(r#"{"v3":{"a":{"1234":{"12":456}}}}"#).is_ok());
    assert!(matches!(
        scan(r#"{"v3":{"a":{"12345":{}}}}"#),
        Err(RepodataError::TooLarge {
            what: "a key",
            offset: 12,
            limit: 4
        })
    ));
    assert!(matches!(
        scan(r#"{"v3":{"a":{"1234":{"12":4567}}}}"#),
        Err(RepodataError::TooLarge {
            what: "a record",
            limit: 10,
            ..
        })
    ));
    assert!(matches!(
        scan(r#"{"x":"123456789"}"#),
        Err(RepodataError::TooLarge {
            what: "a value",
            ..
        })
    ));
    assert!(scan(r#"{"info":"123"}"#).is_ok());
    assert!(matches!(
        scan(r#"{"info":"1234"}"#),
        Err(RepodataError::TooLarge {
            what: "an `info`",
            offset: 1,
            limit: 5
        })
    ));
    assert!(matches!(
        scan(r#"{"a":1,"b":1,"c":1,"d":1,"e":1}"#),
        Err(RepodataError::TooManyKeys { .. })
    ));
}

#[test]
fn records_of_all_sections_count_and_so_do_unusable_ones() {
    let limits = Limits {
        max_records: 4,
        max_record_bytes: 5,
        ..Limits::default()
    };
    let count = |json: &str| {
        let mut scanner = Scanner::new(json.as_bytes(), limits);
        while scanner.next()?.is_some() {}
        Ok::<_, RepodataError>(())
    };
    let four = r#"{"packages":{"a":{},"b":"too large"},"v3":{"whl":{"c":{}},"conda":{"d":{}}}"#;
    count(&format!("{four}}}")).unwrap();
    let error = count(&format!(r#"{four},"packages.conda":{{"e":{{}}}}}}"#)).unwrap_err();
    let expected = four.len() as u64 + 19;
    assert!(
        matches!(error, RepodataError::TooManyRecords { limit: 4, offset } if offset == expected),
        "{error:?}"
    );
}
