//! Records that cannot be used: left out and named, and the others are mirrored.

use std::collections::BTreeSet;
use std::fs;

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use serde_json::{Value, json};

use crate::support::{self, GOOD};

/// The index of linux-64, which now exists in its plain form only.
fn edit(stage: &Stage, edit: impl FnOnce(String) -> String) {
    let folder = stage.channel.dir.join("linux-64");
    let index = folder.join("repodata.json");
    let _ = fs::remove_file(folder.join("repodata.json.zst"));
    let text = edit(fs::read_to_string(&index).unwrap());
    fs::write(index, text).unwrap();
}

/// Lists this at the beginning of `packages.conda` as well; one of its records must be there.
fn list(stage: &Stage, members: &str) {
    let opens = "\"packages.conda\":{";
    edit(stage, |text| {
        assert_eq!(text.matches(opens).count(), 1);
        text.replace(opens, &format!("{opens}{members},"))
    });
}

fn record(name: Value, version: Value, build: Value) -> Value {
    json!({"name": name, "version": version, "build": build, "sha256": "00".repeat(32), "size": 1})
}

/// The entries of the report that are about unusable records.
fn bad_records(report: &Report) -> Vec<Value> {
    let report = report.read();
    let files = report["files"].as_array().unwrap().iter();
    files
        .filter(|entry| entry["outcome"] == "bad-record")
        .cloned()
        .collect()
}

/// A run in which only the records of [`GOOD`] can be used, and its report.
async fn assert_good_ones_mirrored(stage: &Stage) -> Report {
    let (finished, report) = support::run(stage, 1).await;
    finished.assert_code(1);
    let good: BTreeSet<String> = GOOD.iter().map(|file| (*file).to_owned()).collect();
    assert_eq!(stage.view().index_files(&stage.subdir("linux-64")), good);
    stage.assert_complete();
    let asked: BTreeSet<String> = stage.downloads().into_keys().collect();
    assert_eq!(asked, good, "nothing else was asked of the channel");
    report
}

/// [`support::channel`] without the file that meets faults.
async fn good_ones() -> Stage {
    let mut stage = support::stage().await;
    stage.channel.remove(support::BAD).unwrap();
    stage
}

#[tokio::test]
async fn each_record_that_cannot_be_used_is_left_out_and_named() {
    let stage = good_ones().await;
    let whole = record(json!("x"), json!("1"), json!("0"));
    let bad = |field: &str, value: Value| {
        let mut record = whole.clone();
        record[field] = value;
        record.to_string()
    };
    let without = |field: &str| {
        let mut record = whole.clone();
        record.as_object_mut().unwrap().remove(field);
        record.to_string()
    };
    let escaping = "contains '/'";
    let cases = [
        // What the record does not say.
        ("x-1-0.conda", without("name"), "has no name"),
        ("x-2-0.conda", without("version"), "has no version"),
        (
            "x-3-0.conda",
            bad("version", json!("3")).replace("\"build\":\"0\",", ""),
            "has no build",
        ),
        ("x-4-0.conda", bad("name", Value::Null), "has no name"),
        // What is no file name.
        ("a/x-1-0.conda", whole.to_string(), escaping),
        ("../x-1-0.conda", whole.to_string(), escaping),
        ("..\\x-1-0.conda", whole.to_string(), "contains '\\\\'"),
        ("..-1-0.conda", whole.to_string(), "only dots"),
        ("x-..-0.conda", whole.to_string(), "only dots"),
        ("x\u{7}-1-0.conda", whole.to_string(), "contains '\\u{7}'"),
        ("x\n-1-0.conda", whole.to_string(), "contains '\\n'"),
        ("x-1.conda", whole.to_string(), "name-version-build"),
        (
            "x-1-0.zip",
            whole.to_string(),
            "neither .conda nor .tar.bz2",
        ),
        // What disagrees with its file name.
        ("y-1-0.conda", whole.to_string(), "its name is \"x\""),
        ("x-5-0.conda", whole.to_string(), "its version is \"1\""),
        ("x-1-1.conda", whole.to_string(), "its build is \"0\""),
        // What is no record.
        ("x-6-0.conda", "[]".to_owned(), "expected a record"),
        ("x-7-0.conda", "null".to_owned(), "expected a record"),
        ("x-8-0.conda", bad("size", json!("big")), "expected u64"),
        ("x-9-0.conda", "{\"name\" 1}".to_owned(), "expected `:`"),
        (
            "x-10-0.conda",
            "{\"name\":\"x\",\"name\":\"x\"}".to_owned(),
            "there twice",
        ),
        // What is over a limit.
        (
            "deep-1-0.conda",
            format!("{{\"d\":{}{}}}", "[".repeat(500), "]".repeat(500)),
            "nests deeper than 64",
        ),
        (
            "large-1-0.conda",
            bad("license", json!("x".repeat(2_000_000))),
            "more than 1048576 bytes",
        ),
    ];
    let members = cases
        .iter()
        .map(|(key, record, _)| format!("{}:{record}", json!(key)));
    let mut members: Vec<String> = members.collect();
    members.push(format!("\"{}-1-0.conda\":{{}}", "long".repeat(1_000)));
    members.push(format!("\"raw\u{1}-1-0.conda\":{whole}"));
    list(&stage, &members.join(","));

    let report = assert_good_ones_mirrored(&stage).await;
    let entries = bad_records(&report);
    assert_eq!(entries.len(), members.len());
    let further = [
        ("longlong", "", "more than 1024 bytes"),
        ("raw", "", "no text"),
    ];
    let expected = cases
        .iter()
        .map(|(key, _, says)| (*key, *key, *says))
        .chain(further);
    for (entry, (key, _, says)) in entries.iter().zip(expected) {
        let cause = entry["cause"].as_str().unwrap();
        let named = format!("{key:?}");
        assert!(
            cause.contains(key) || cause.contains(&named[..named.len() - 1]),
            "{key}: {cause}"
        );
        assert!(cause.contains(says), "no {says:?}: {cause}");
        assert!(cause.contains("its index"), "no remedy: {cause}");
        assert!(cause.len() < 1_500, "{cause}");
        assert_eq!(entry["subdir"], "linux-64");
    }
}

#[tokio::test]
async fn a_string_of_200_mb_is_passed_over() {
    let stage = good_ones().await;
    let long = "x".repeat(200 << 20);
    list(&stage, &format!("\"large-1-0.conda\":{{\"x\":\"{long}\"}}"));
    let report = assert_good_ones_mirrored(&stage).await;
    let entry = report.entry("large-1-0.conda");
    support::assert_cause(&entry, &["more than 1048576 bytes"]);
}

#[tokio::test]
async fn records_behind_unusable_ones_are_published_as_themselves() {
    // Each publication is judged by its bytes: a number that is off by one would list a file for another.
    let stage = good_ones().await;
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    edit(&stage, |text| {
        let mut edited = text;
        for file in GOOD {
            let key = format!("\"{file}\":");
            edited = edited.replace(&key, &format!("\"un{file}\":{deep},{key}"));
        }
        edited
    });
    let report = assert_good_ones_mirrored(&stage).await;
    assert_eq!(bad_records(&report).len(), 2);
}

/// What the index says of this file.
fn listed(stage: &Stage, file: &str) -> String {
    let text = fs::read_to_string(stage.channel.dir.join("linux-64/repodata.json")).unwrap();
    let index: Value = serde_json::from_str(&text).unwrap();
    index["packages.conda"][file].to_string()
}

#[tokio::test]
async fn a_record_that_is_there_twice_is_mirrored_and_listed_once() {
    let stage = good_ones().await;
    let members = GOOD.map(|file| format!("{}:{}", json!(file), listed(&stage, file)));
    list(&stage, &members.join(","));
    let report = assert_good_ones_mirrored(&stage).await;
    let entries = bad_records(&report);
    assert_eq!(entries.len(), 2);
    for (entry, file) in entries.iter().zip(GOOD) {
        assert_eq!(entry["file"], file);
        support::assert_cause(entry, &[file, "twice", "the channel has to mend its index"]);
        assert_eq!(stage.downloads_of(file), 1);
    }
    let repository = format!("{}/repodata.json", stage.subdir("linux-64"));
    let plain = "application/vnd.conda.repodata.v1+json";
    let (_, index) = stage.view().layer(&repository, "latest", plain).unwrap();
    let index = String::from_utf8(index.to_vec()).unwrap();
    for file in GOOD {
        assert_eq!(index.matches(&format!("\"{file}\":")).count(), 1, "{index}");
    }
}

#[tokio::test]
async fn of_two_records_of_one_file_the_wrong_one_is_never_published() {
    let file = GOOD[0];
    for wrong_first in [true, false] {
        let stage = good_ones().await;
        let right = listed(&stage, file);
        let sha256 = &stage.channel.file(file).sha256;
        let wrong = right.replace(&**sha256, &"00".repeat(32));
        let one = format!("{}:{right}", json!(file));
        let other = format!("{}:{wrong}", json!(file));
        edit(&stage, |text| {
            assert_eq!(text.matches(&one).count(), 1);
            let both = if wrong_first {
                format!("{other},{one}")
            } else {
                format!("{one},{other}")
            };
            text.replace(&one, &both)
        });
        let (finished, report) = support::run(&stage, 1).await;
        finished.assert_code(1);
        assert_eq!(bad_records(&report).len(), 1);
        let mut expected = BTreeSet::from(GOOD);
        if wrong_first {
            expected.remove(file);
        }
        let published = stage.view().index_files(&stage.subdir("linux-64"));
        assert_eq!(published, expected.into_iter().map(str::to_owned).collect());
        stage.assert_indexes_exact();
        stage.assert_publications_passed();
    }
}
