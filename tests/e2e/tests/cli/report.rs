//! `--report`: what became of every file, for machines.

mod targets;

use std::collections::BTreeMap;

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::standard;
use mirror_kit::fake_channel::{Fault, Times};
use serde_json::Value;

use crate::support::four_packages;

/// Outcome by file.
fn outcomes(report: &Value) -> BTreeMap<String, String> {
    let files = report["files"].as_array().unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let outcomes: BTreeMap<_, _> = files
        .iter()
        .map(|entry| (text(entry, "file"), text(entry, "outcome")))
        .collect();
    assert_eq!(outcomes.len(), files.len(), "a file is named twice");
    outcomes
}

#[tokio::test]
async fn every_file_is_named_with_its_outcome_bytes_and_hash() {
    let stage = Stage::registry(standard).await;
    let report = Report::in_home(&stage.home);
    let run = || stage.run().arg("--report").arg(report.path());
    run().run().await.assert_code(0);
    let first = report.read();
    let expected = |done: &str| -> BTreeMap<String, String> {
        let outcome = |representable| {
            if representable {
                done
            } else {
                "unrepresentable"
            }
        };
        let files = stage.channel.files.iter();
        files
            .map(|file| {
                (
                    file.file_name.clone(),
                    outcome(file.representable).to_owned(),
                )
            })
            .collect()
    };
    let by_stem = |outcomes: BTreeMap<String, String>| -> BTreeMap<String, String> {
        // CEP 48 lists a wheel without its extension.
        let stem = |name: String| name.trim_end_matches(".whl").to_owned();
        outcomes
            .into_iter()
            .map(|(name, outcome)| (stem(name), outcome))
            .collect()
    };
    assert_eq!(by_stem(outcomes(&first)), by_stem(expected("done")));
    for file in stage.channel.files.iter().filter(|file| file.representable) {
        let entry = report.entry(&file.file_name);
        assert_eq!(entry["subdir"], *file.subdir);
        assert_eq!(entry["bytes"], file.size);
        assert_eq!(entry["sha256"], *file.sha256);
        assert_eq!(entry.get("cause"), None);
    }
    for file in ["Capital-1.0-0.conda", "tilde-1.0-h~1_0.conda"] {
        let cause = report.entry(file)["cause"].as_str().unwrap().to_owned();
        assert!(!cause.is_empty(), "{file}");
    }
    let summary = &first["summary"];
    assert_eq!(summary["channel"], *stage.channel.name);
    assert_eq!(summary["dry_run"], false);
    assert_eq!(summary["interrupted"], false);
    let sum = |summary: &Value, key: &str| -> u64 {
        let subdirs = summary["subdirs"].as_array().unwrap();
        subdirs
            .iter()
            .map(|subdir| subdir[key].as_u64().unwrap())
            .sum()
    };
    let held: Vec<_> = stage
        .channel
        .files
        .iter()
        .filter(|f| f.representable)
        .collect();
    assert_eq!(sum(summary, "done"), held.len() as u64);
    assert_eq!(
        sum(summary, "done_bytes"),
        held.iter().map(|f| f.size).sum::<u64>()
    );
    assert_eq!(sum(summary, "unrepresentable"), 4);
    assert_eq!(sum(summary, "failed"), 0);
    for subdir in summary["subdirs"].as_array().unwrap() {
        assert_eq!(subdir["publication"], "published");
    }

    // Another selection, so that the unchanged index is planned again.
    run().args(["-p", "?*"]).run().await.assert_code(0);
    assert_eq!(by_stem(outcomes(&report.read())), by_stem(expected("held")));
    assert_eq!(sum(&report.read()["summary"], "held"), held.len() as u64);
    assert_eq!(sum(&report.read()["summary"], "done"), 0);
}

#[tokio::test]
async fn a_failure_is_reported_with_cause_attempts_and_bytes_and_rests_in_the_next_run() {
    let stage = Stage::registry(four_packages).await;
    let report = Report::in_home(&stage.home);
    let run = || stage.run().arg("--report").arg(report.path());
    let mkl = stage.channel.file("mkl-2025.0-h0_0.conda");
    stage
        .source
        .fault(&mkl.file_name, Fault::WrongBytes, Times::Always);
    run().args(["--attempts", "2"]).run().await.assert_code(1);
    let entry = report.entry(&mkl.file_name);
    assert_eq!(entry["outcome"], "failed");
    assert_eq!(entry["attempts"], 2);
    assert_eq!(entry["bytes"], mkl.size);
    let cause = entry["cause"].as_str().unwrap();
    assert!(
        cause.contains(&mkl.sha256) && cause.contains(&mkl.file_name),
        "{cause}"
    );
    let linux = &report.read()["summary"]["subdirs"][0];
    assert_eq!((&linux["failed"], &linux["done"]), (&1.into(), &3.into()));

    stage.source.heal();
    run().args(["-p", "?*"]).run().await.assert_code(1);
    assert_eq!(report.entry(&mkl.file_name)["outcome"], "resting");
    assert_eq!(report.entry("zstd-1.5.6-h0_0.conda")["outcome"], "held");

    run().arg("--retry-failed").run().await.assert_code(0);
    assert_eq!(report.entry(&mkl.file_name)["outcome"], "done");
    stage.assert_complete();
}

#[tokio::test]
async fn the_report_of_an_earlier_run_stays_whole_until_the_new_one_is_whole() {
    let stage = Stage::registry(four_packages).await;
    let folder = stage.home.path().join("reports");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("report.json");
    std::fs::write(&path, "the earlier report").unwrap();
    let files = || std::fs::read_dir(&folder).unwrap().count();
    stage.source.fault(
        "zstd-1.5.6-h0_0.conda",
        Fault::Stall { after: 100 },
        Times::First(1),
    );
    let run = || stage.run().arg("--report").arg(&path);
    let running = run().spawn();
    stage.source.held().await;
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "the earlier report"
    );
    running.kill9();
    running.wait().await.assert_killed();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "the earlier report"
    );
    assert_eq!(files(), 1, "what was begun is gone");

    run().run().await.assert_code(0);
    let report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(outcomes(&report).len(), 4);
}

#[tokio::test]
async fn a_run_that_could_not_be_done_is_reported_with_its_cause() {
    let stage = Stage::registry(four_packages).await;
    let report = Report::in_home(&stage.home);
    stage
        .source
        .fault("linux-64/repodata.json.zst", Fault::Html, Times::Always);
    let run = stage.run().arg("--report").arg(report.path());
    run.run().await.assert_code(2);
    let summary = report.read()["summary"].clone();
    let error = summary["subdirs"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("linux-64/repodata.json.zst"), "{error}");
}
