//! What rattler refuses must not get into the index: it would take all other records with it.

use rattler_conda_types::RepoData;

use crate::repodata::{Event, Limits, Record, RepodataError, Scanner};

/// What becomes of an index, by rattler and by us.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Read,
    /// We leave the record out; rattler refuses the whole index.
    BadRecord,
    /// The index as a whole is refused.
    BadIndex,
}

fn scanned(json: &str) -> Fate {
    let mut scanner = Scanner::new(json.as_bytes(), Limits::default());
    let mut fate = Fate::Read;
    loop {
        match scanner.next() {
            Ok(None) => return fate,
            Ok(Some(Event::Record(entry))) => {
                if Record::parse(entry.section, entry.key.text, entry.json).is_err() {
                    fate = Fate::BadRecord;
                }
            }
            Ok(Some(_)) => {}
            Err(error) => {
                assert!(
                    matches!(&error, RepodataError::Value { key, .. } if key == "info"),
                    "{error:?}"
                );
                return Fate::BadIndex;
            }
        }
    }
}

fn rattler_reads(json: &str) -> bool {
    serde_json::from_str::<RepoData>(json).is_ok()
}

#[test]
fn a_record_with_a_key_twice_is_refused_because_rattler_refuses_the_index() {
    let index = |fields: &str| {
        format!(
            r#"{{"packages.conda":{{"a-1-0.conda":{{"name":"a","version":"1","build":"0","build_number":0{fields}}}}}}}"#
        )
    };
    for fine in [
        "",
        r#","depends":[],"constrains":[]"#,
        r#","run_exports":{"weak":[],"strong":[]}"#,
    ] {
        assert!(rattler_reads(&index(fine)), "{fine}");
        assert_eq!(scanned(&index(fine)), Fate::Read, "{fine}");
    }
    for twice in [
        r#","depends":[],"depends":[]"#,
        r#","depends":[],"dep\u0065nds":[]"#,
        r#","build_number":0"#,
        r#","timestamp":1,"timestamp":1"#,
        r#","run_exports":{"weak":[],"weak":[]}"#,
    ] {
        assert!(!rattler_reads(&index(twice)), "{twice}");
        assert_eq!(scanned(&index(twice)), Fate::BadRecord, "{twice}");
    }
    // Other readers may mind, and which of the two counts is for none of them to say.
    let unknown = r#","x":1,"x":2"#;
    assert!(rattler_reads(&index(unknown)));
    assert_eq!(scanned(&index(unknown)), Fate::BadRecord);
}

#[test]
fn info_with_a_key_twice_is_an_error_of_the_index_as_it_is_for_rattler() {
    let index = |info: &str| format!(r#"{{"info":{info},"packages":{{}}}}"#);
    let fine = r#"{"subdir":"x","channel_relations":{"base":"b"},"repodata_revisions":{"v3":{"n_packages":1}}}"#;
    assert!(rattler_reads(&index(fine)));
    assert_eq!(scanned(&index(fine)), Fate::Read);
    for twice in [
        r#"{"subdir":"x","subdir":"x"}"#,
        r#"{"subdir":"x","repodata_revisions":{},"repodata_revisions":{}}"#,
        r#"{"subdir":"x","channel_relations":{"base":"b","base":"b"}}"#,
        r#"{"subdir":"x","repodata_revisions":{"v3":{"n_packages":1,"n_packages":1}}}"#,
    ] {
        assert!(!rattler_reads(&index(twice)), "{twice}");
        assert_eq!(scanned(&index(twice)), Fate::BadIndex, "{twice}");
    }
}
