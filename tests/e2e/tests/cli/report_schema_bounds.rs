//! What is not as `docs/report.schema.json` says is not valid: the schema says something.

use mirror_e2e::stage::Stage;
use mirror_kit::channel::standard;
use serde_json::{Value, json};

use crate::report_schema::{assert_valid, schema, valid, validator_of};

#[tokio::test]
async fn a_report_with_anything_else_in_it_is_not_valid() {
    let stage = Stage::registry(standard).await;
    let report = valid(&stage, stage.run(), 0).await;
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let done = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .position(|file| file["outcome"] == "done");
    let done = format!("/files/{}", done.unwrap());
    let file = |key: &str| format!("{done}/{key}");
    for (place, value) in [
        ("/version".to_owned(), json!(2)),
        ("/files".to_owned(), json!({})),
        (done.clone(), json!("zlib")),
        (file("outcome"), json!("gone")),
        (file("bytes"), json!("12")),
        (file("sha256"), json!("BEEF")),
        (file("subdir"), json!("")),
        ("/summary/seconds".to_owned(), json!(-1)),
        ("/summary/registry".to_owned(), json!(5)),
        ("/summary/totals/done".to_owned(), json!(1.5)),
        (
            "/summary/subdirs/0/publication".to_owned(),
            json!("Published"),
        ),
        ("/summary/subdirs/0/unchanged".to_owned(), json!(0)),
        ("/summary/largest_names/0/files".to_owned(), json!(0)),
    ] {
        let mut wrong = report.clone();
        *wrong
            .pointer_mut(&place)
            .unwrap_or_else(|| panic!("no {place}")) = value;
        assert!(!validator.is_valid(&wrong), "{place}");
    }
    let places = [
        "",
        &done,
        "/summary",
        "/summary/totals",
        "/summary/subdirs/0",
        "/summary/largest_names/0",
    ];
    for place in places {
        let mut more = report.clone();
        let object = more.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.insert("surprise".to_owned(), json!(1));
        assert!(!validator.is_valid(&more), "{place} with one key more");
        let keys: Vec<String> = report
            .pointer(place)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        for key in keys {
            let mut less = report.clone();
            less.pointer_mut(place)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(&key);
            let optional = place == done && key == "outside_index";
            assert_eq!(validator.is_valid(&less), optional, "{place} without {key}");
        }
    }
}

#[tokio::test]
async fn a_mirrors_name_is_a_text_and_may_be_missing() {
    let stage = Stage::registry(standard).await;
    let mut summary = valid(&stage, stage.run().arg("--dry-run"), 0).await["summary"].take();
    let validator = validator_of("summary");
    assert_valid(&validator, &summary);
    for (name, is_valid) in [
        (json!("nightly"), true),
        (json!(""), false),
        (json!(null), false),
    ] {
        summary["name"] = name;
        assert_eq!(
            validator.is_valid(&summary),
            is_valid,
            "{}",
            summary["name"]
        );
    }
}

#[test]
fn what_does_not_go_together_in_an_entry_is_not_valid() {
    let validator = validator_of("file");
    let entry = |more: Value| {
        let mut entry = json!({ "subdir": "linux-64", "file": "a-1-0.conda" });
        entry
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        entry
    };
    let sha256 = "0".repeat(64);
    for good in [
        json!({ "outcome": "held", "bytes": 1, "outside_index": "removed" }),
        json!({ "outcome": "held", "cause": "another one is listed" }),
        json!({ "outcome": "pending" }),
        json!({ "outcome": "failed", "cause": "x", "attempts": 3 }),
        json!({ "outcome": "bad-record", "cause": "x" }),
    ] {
        assert_valid(&validator, &entry(good));
    }
    for bad in [
        json!({ "outcome": "failed", "attempts": 3 }),
        json!({ "outcome": "failed", "cause": "x" }),
        json!({ "outcome": "bad-record" }),
        json!({ "outcome": "done", "bytes": 1 }),
        json!({ "outcome": "pending", "cause": "x" }),
        json!({ "outcome": "resting", "attempts": 1 }),
        json!({ "outcome": "failed", "cause": "x", "attempts": 1, "outside_index": "yanked" }),
        json!({ "outcome": "held", "sha256": sha256 }),
        json!({ "outcome": "held", "outside_index": "lost" }),
    ] {
        assert!(!validator.is_valid(&entry(bad.clone())), "{bad}");
    }
}
