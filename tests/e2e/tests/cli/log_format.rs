//! `--log-format json`: a JSON object a line on standard error, whatever happens, and nothing else there.

use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::Stage;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::{Fault as Answer, Kind, When};
use mirror_kit::process::{Finished, Home};
use serde_json::Value;

use crate::support::{four_packages, mirror_offline};

const MKL: &str = "mkl-2025.0-h0_0.conda";

/// The log: objects with level, message and time, without a control character.
fn events(finished: &Finished) -> Vec<Value> {
    let control = finished
        .stderr
        .chars()
        .find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{}", finished.to_text());
    let events = finished.stderr.lines().map(|line| {
        let event = serde_json::from_str::<Value>(line);
        event.unwrap_or_else(|error| panic!("{error}: {line}\n{}", finished.to_text()))
    });
    let events: Vec<Value> = events.collect();
    for event in &events {
        // Requests are logged at level DEBUG, as fields without a message.
        let message = ["message"]
            .into_iter()
            .filter(|_| event["level"] != "DEBUG");
        for key in ["level", "timestamp", "target"].into_iter().chain(message) {
            assert!(event[key].is_string(), "no {key}: {event}");
        }
    }
    events
}

fn with_level<'e>(events: &'e [Value], level: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["level"] == level)
        .collect()
}

fn failing(stage: &Stage) {
    stage.source.fault(MKL, Fault::Html, Times::Always);
}

#[tokio::test]
async fn a_run_that_goes_well_logs_nothing_and_prints_the_same() {
    let stage = Stage::registry(four_packages).await;
    let finished = stage.run().args(["--log-format", "json"]).run().await;
    finished.assert_code(0);
    assert_eq!(events(&finished), [Value::Null; 0]);
    assert!(
        finished.stdout.contains("4 of 4 files"),
        "{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn warnings_are_objects_and_standard_output_is_as_ever() {
    let (text, json) = (
        Stage::registry(four_packages).await,
        Stage::registry(four_packages).await,
    );
    let run = |stage: &Stage| {
        failing(stage);
        stage.run().args(["--attempts", "1"])
    };
    let as_text = run(&text).run().await;
    let as_json = run(&json).args(["--log-format", "json"]).run().await;
    as_json.assert_code(1);
    let events = events(&as_json);
    let failed = with_level(&events, "ERROR");
    assert!(
        failed.iter().any(|event| event.to_string().contains(MKL)),
        "{events:#?}"
    );
    let rows = |finished: &Finished| -> Vec<String> {
        // The last line has times in it.
        finished
            .stdout
            .lines()
            .filter(|line| !line.contains("finished in"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(rows(&as_json), rows(&as_text));
}

#[tokio::test]
async fn what_ends_a_run_with_2_is_an_object_at_level_error() {
    let home = Home::new();
    let json = ["--log-format", "json"];
    let missing = mirror(&home, "./no-such-channel", "oci:./mirror").args(json);
    let no_registry = mirror_offline(&home).args(["-c", "x"]).args(json);
    let no_file = mirror_offline(&home)
        .args(["--config", "no-such.toml"])
        .args(json);
    let pattern = mirror_offline(&home)
        .args(["-c", "x", "-p", "py[ab", "--dry-run"])
        .args(json);
    for (run, says) in [
        (missing, "is no folder"),
        (no_registry, "--registry"),
        (no_file, "no-such.toml"),
        (pattern, "py[ab"),
    ] {
        let finished = run.run().await;
        finished.assert_code(2);
        let events = events(&finished);
        let errors = with_level(&events, "ERROR");
        assert_eq!(errors.len(), 1, "{}", finished.to_text());
        let message = errors[0]["message"].as_str().unwrap();
        assert!(message.contains(says), "no {says}: {message}");
        assert_eq!(finished.stdout, "");
    }
}

#[tokio::test]
async fn a_subdir_that_cannot_be_mirrored_and_a_plan_over_its_limit_are_objects_at_level_error() {
    let stage = Stage::registry(four_packages).await;
    let over = stage
        .run()
        .args(["--log-format", "json", "--max-files", "1"])
        .run()
        .await;
    over.assert_code(2);
    assert_eq!(
        with_level(&events(&over), "ERROR").len(),
        1,
        "{}",
        over.to_text()
    );
    stage
        .source
        .fault("linux-64/repodata.json.zst", Fault::Html, Times::Always);
    let broken = stage.run().args(["--log-format", "json"]).run().await;
    broken.assert_code(2);
    assert_eq!(
        with_level(&events(&broken), "ERROR").len(),
        1,
        "{}",
        broken.to_text()
    );
}

#[tokio::test]
async fn quiet_mails_failures_as_objects_too() {
    let stage = Stage::registry(four_packages).await;
    failing(&stage);
    let run = stage
        .run()
        .args(["--log-format", "json", "--quiet", "--attempts", "1"]);
    let finished = run.run().await;
    finished.assert_code(1);
    let events = events(&finished);
    assert!(!events.is_empty(), "quiet is about success");
    assert_eq!(
        with_level(&events, "WARN").len(),
        0,
        "{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn an_error_is_said_whatever_the_filter_of_the_log() {
    let home = Home::new();
    for filter in ["off", "mirror_oci=debug"] {
        let run = mirror(&home, "./no-such-channel", "oci:./mirror").env("RUST_LOG", filter);
        let finished = run.args(["--log-format", "json"]).run().await;
        finished.assert_code(2);
        assert!(
            finished.stderr.contains("is no folder"),
            "{filter}: {}",
            finished.to_text()
        );
    }
}

#[tokio::test]
async fn a_stop_and_the_progress_are_objects() {
    let stage = Stage::registry(four_packages).await;
    stage
        .source
        .fault(MKL, Fault::Stall { after: 100 }, Times::First(1));
    let mut running = stage.run().args(["--log-format", "json"]).spawn();
    stage.source.held().await;
    running
        .until("to say how far it is", |_, stderr| {
            stderr.contains("planned_files")
        })
        .await;
    running.interrupt();
    running
        .until("to have heard the signal", |_, stderr| {
            stderr.contains("stopping")
        })
        .await;
    stage.source.release();
    let finished = running.wait().await;
    finished.assert_code(130);
    let events = events(&finished);
    let progress = events
        .iter()
        .find(|event| event["target"] == "progress")
        .unwrap();
    assert_eq!(
        (&progress["level"], &progress["message"]),
        (&"INFO".into(), &"progress".into())
    );
    assert_eq!(progress["planned_files"], 4);
    assert!(
        with_level(&events, "WARN")
            .iter()
            .any(|event| event["message"].as_str().unwrap().contains("stopping"))
    );
}

#[tokio::test]
async fn every_step_and_what_a_registry_answers_are_still_one_object_a_line() {
    let stage = Stage::registry(four_packages).await;
    let answer = Answer::error(
        400,
        "BAD\u{1b}[31m",
        "two\nlines \"quoted\" \u{1b}]0;x\u{7}",
    );
    stage.fake().fault(
        When::kind(Kind::ManifestPut).repository_ending("/mkl"),
        answer,
    );
    let run = stage
        .run()
        .args(["--log-format", "json", "--debug", "--attempts", "1"]);
    let finished = run.run().await;
    finished.assert_code(1);
    let events = events(&finished);
    assert!(with_level(&events, "DEBUG").len() > 10);
    assert!(
        events.iter().any(|event| event.to_string().contains("BAD")),
        "{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn an_unknown_format_is_refused_with_those_that_are_known() {
    let home = Home::new();
    let run = mirror(&home, "./x", "oci:m").args(["--log-format", "xml"]);
    let finished = run.run().await;
    finished.assert_code(2);
    for part in ["--log-format", "xml", "text", "json"] {
        assert!(
            finished.stderr.contains(part),
            "no {part}: {}",
            finished.to_text()
        );
    }
}
