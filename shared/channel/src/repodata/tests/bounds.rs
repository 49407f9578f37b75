use std::io::{Read, repeat};

use crate::repodata::testing::Dribble;
use crate::repodata::{Limits, RepodataError, Scanner};

/// Scans to the end or the first error.
fn scan(json: &[u8], limits: Limits) -> Result<(), RepodataError> {
    let mut scanner = Scanner::new(json, limits);
    while scanner.next()?.is_some() {}
    Ok(())
}

#[test]
fn nesting_stops_at_the_limit_and_not_before() {
    let nested = |levels: usize| {
        format!(
            "{{\"packages\":{{\"a\":{}{}}}}}",
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert!(scan(nested(64).as_bytes(), Limits::default()).is_ok());
    assert!(matches!(
        scan(nested(65).as_bytes(), Limits::default()),
        Err(RepodataError::TooDeep {
            offset: 81,
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
fn a_huge_string_is_refused_early_and_not_buffered() {
    for (start, what) in [
        ("{\"packages\":{\"a\":{\"b\":\"", "a record"),
        ("{\"info\":\"", "a value"),
        ("{\"", "a key"),
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
        let mut scanner = Scanner::new(&mut source, limits);
        let error = loop {
            match scanner.next() {
                Ok(event) => assert!(event.is_some()),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, RepodataError::TooLarge { what: w, .. } if w == what),
            "{error:?}"
        );
        assert!(source.count < 40 << 20, "{} bytes read", source.count);
    }
}

#[test]
fn limits_hold_for_what_is_already_in_the_buffer() {
    let limits = Limits {
        max_record_bytes: 10,
        max_value_bytes: 10,
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
    assert!(matches!(
        scan(r#"{"a":1,"b":1,"c":1,"d":1,"e":1}"#),
        Err(RepodataError::TooManyKeys { .. })
    ));
}
