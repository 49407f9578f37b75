//! Names with more records than one shard may have.

use serde_json::json;

use crate::repodata::testing::{record, text};
use crate::repodata::{Event, Limits, NameSizes, Record, RepodataError, Scanner};

/// Which of an index's records are admitted, by key, and the errors of the others.
fn admitted(json: &[u8], limits: Limits) -> (Vec<String>, Vec<RepodataError>) {
    let mut sizes = NameSizes::new(&limits);
    let (mut admitted, mut errors) = (Vec::new(), Vec::new());
    let mut scanner = Scanner::new(json, limits);
    while let Some(event) = scanner.next().unwrap() {
        if let Event::Record(entry) = event {
            let record = Record::parse(entry.section, entry.key.text, entry.json).unwrap();
            match sizes.admit(&record, &entry) {
                Ok(()) => admitted.push(entry.key.text.to_owned()),
                Err(error) => errors.push(error),
            }
        }
    }
    (admitted, errors)
}

#[test]
fn records_beyond_what_a_name_may_have_are_named_and_those_of_other_names_are_not_touched() {
    let one = record("big", "1", "0", json!({}));
    // The key in quotes, the colon, the value and room for a sha256.
    let each = 17 + 1 + one.to_string().len() as u64 + 128;
    let json = text(
        &json!({
            "packages": {
                "big-1-0.tar.bz2": one,
                "big-2-0.tar.bz2": record("big", "2", "0", json!({})),
                "big-3-0.tar.bz2": record("big", "3", "0", json!({})),
                "other-1-0.tar.bz2": record("other", "1", "0", json!({})),
            },
            "v3": {"conda": {"BIG-4-0": record("big", "4", "0", json!({}))}},
        }),
        false,
    );
    let limits = |max_shard_bytes| Limits {
        max_shard_bytes,
        ..Limits::default()
    };
    let (records, errors) = admitted(&json, limits(2 * each));
    assert_eq!(
        records,
        ["big-1-0.tar.bz2", "big-2-0.tar.bz2", "other-1-0.tar.bz2"]
    );
    assert_eq!(errors.len(), 2);
    for error in errors {
        let text = error.to_string();
        assert!(
            matches!(&error, RepodataError::NameTooLarge { name, bytes, limit }
                if name == "big" && *bytes > *limit && *limit == 2 * each),
            "{error:?}"
        );
        assert!(
            text.contains("\"big\"") && text.contains("left out"),
            "{text}"
        );
    }
    let (records, _) = admitted(&json, limits(2 * each - 1));
    assert_eq!(records, ["big-1-0.tar.bz2", "other-1-0.tar.bz2", "BIG-4-0"]);
}
