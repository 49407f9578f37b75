use std::io::Cursor;

use serde_json::{Value, json};

use crate::repodata::testing::{record, sample, text};
use crate::repodata::{Keep, Limits, RepodataError, Rewritten, rewrite};

fn rewritten(
    json: &[u8],
    keep: &dyn Fn(u64) -> Keep,
) -> Result<(Vec<u8>, Rewritten), RepodataError> {
    let mut out = Vec::new();
    let counts = rewrite(&mut Cursor::new(json), &mut out, Limits::default(), keep)?;
    Ok((out, counts))
}

fn published(repodata: &Value, keep: &dyn Fn(u64) -> Keep) -> Value {
    serde_json::from_slice(&rewritten(&text(repodata, true), keep).unwrap().0).unwrap()
}

fn some(wanted: u64) -> impl Fn(u64) -> Keep {
    move |ordinal| {
        if wanted >> (ordinal % 64) & 1 == 1 {
            Keep::Keep
        } else {
            Keep::Drop
        }
    }
}

#[test]
fn only_the_base_url_and_the_counts_of_info_change() {
    let all = published(&sample(), &|_| Keep::Keep);
    let mut expected = sample()["info"].clone();
    expected.as_object_mut().unwrap().remove("base_url");
    expected["repodata_revisions"] = json!({
        "v3": {"message": "new", "n_packages": 3, "oldest": 1_600_000_000_000_u64, "newest": 1_800_000_000_000_u64},
        "v0": {"n_packages": 5},
        "v7": {"n_packages": 7},
    });
    assert_eq!(all["info"], expected);
    let none = published(&sample(), &|_| Keep::Drop);
    assert_eq!(
        none["info"]["repodata_revisions"],
        json!({"v3": {"message": "new", "n_packages": 0}, "v0": {"n_packages": 0}, "v7": {"n_packages": 7}})
    );
    assert_eq!(none["v3"], json!({"conda": {}, "tar.bz2": {}, "whl": {}}));
}

#[test]
fn the_keys_of_info_keep_their_order_and_bytes() {
    let json = br#"{ "info" : {"z": [1, 2] , "base_url":"u","a":1.50, "subdir":"x"}, "packages":{}, "packages.conda":{} }"#;
    let (out, _) = rewritten(json, &|_| Keep::Keep).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"info":{"z":[1, 2],"a":1.50,"subdir":"x"},"packages":{},"packages.conda":{}}"#
    );
}

#[test]
fn counts_are_right_wherever_info_stands() {
    let json = br#"{"packages":{"a-1-0.tar.bz2":{},"b-1-0.tar.bz2":{}},"info":{"repodata_revisions":{"v0":{"n_packages":2}}}}"#;
    let (out, counts) = rewritten(json, &some(0b10)).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"packages":{"b-1-0.tar.bz2":{}},"info":{"repodata_revisions":{"v0":{"n_packages":1}}},"packages.conda":{}}"#,
    );
    assert_eq!(
        (counts.records, counts.dropped, counts.not_mirrored),
        (1, 1, 0)
    );
}

#[test]
fn a_later_revision_whose_files_are_not_mirrored_counts_none() {
    let json = json!({"info": {"repodata_revisions": {"v4": {"n_packages": 1}}}, "v4": {"conda": {"a-1-0": {}}}});
    let out = published(&json, &|_| Keep::Keep);
    assert_eq!(out["info"]["repodata_revisions"]["v4"]["n_packages"], 0);
    assert_eq!(out["v4"], json!({"conda": {}}));
}

#[test]
fn wheels_are_never_kept_nor_asked_about() {
    let json = json!({"v3": {"whl": {"a-1-0": {}}}});
    let (out, counts) = rewritten(&text(&json, false), &|_| panic!("asked")).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&out).unwrap(),
        json!({"v3": {"whl": {}}, "packages": {}, "packages.conda": {}})
    );
    assert_eq!(counts.not_mirrored, 1);
}

#[test]
fn a_record_without_sha256_gets_the_one_we_computed() {
    let hex = "0f".repeat(32);
    for (json, expected) in [
        (
            r#"{"a" : 1, "md5":"x" }"#,
            format!(r#"{{"a" : 1, "md5":"x","sha256":"{hex}"}}"#),
        ),
        ("{}", format!(r#"{{"sha256":"{hex}"}}"#)),
        (
            r#"{"sha256":null, "a" : 1}"#,
            format!(r#"{{"sha256":"{hex}","a":1}}"#),
        ),
    ] {
        let json = format!(r#"{{"packages":{{"a-1-0.tar.bz2":{json}}},"packages.conda":{{}}}}"#);
        let (out, _) = rewritten(json.as_bytes(), &|_| Keep::WithSha256([15; 32])).unwrap();
        let expected =
            format!(r#"{{"packages":{{"a-1-0.tar.bz2":{expected}}},"packages.conda":{{}}}}"#);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn cut_off_at_any_byte_never_yields_an_index() {
    let json = text(
        &json!({"info": sample()["info"], "packages": {"a-1-0.tar.bz2": record("a", "1", "0", json!({}))}}),
        false,
    );
    for end in 0..json.len() {
        assert!(rewritten(&json[..end], &|_| Keep::Keep).is_err(), "{end}");
    }
}

#[test]
fn an_unusable_record_is_left_out_without_being_asked_about_and_keeps_its_number() {
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    let json = format!(
        r#"{{"info":{{"repodata_revisions":{{"v0":{{"n_packages":3}}}}}},"packages":{{"a-1-0.tar.bz2":{{}},"b-1-0.tar.bz2":{deep},"c-1-0.tar.bz2":{{}}}},"v3":{{"whl":{{"d-1-0":{deep}}}}}}}"#
    );
    let keep = |ordinal| match ordinal {
        0 => Keep::Drop,
        2 => Keep::Keep,
        other => panic!("asked about {other}"),
    };
    let (out, counts) = rewritten(json.as_bytes(), &keep).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"info":{"repodata_revisions":{"v0":{"n_packages":1}}},"packages":{"c-1-0.tar.bz2":{}},"v3":{"whl":{}},"packages.conda":{}}"#
    );
    assert_eq!(
        (counts.records, counts.dropped, counts.not_mirrored),
        (1, 2, 1)
    );
}
