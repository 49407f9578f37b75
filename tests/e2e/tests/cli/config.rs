//! `--config`: the mirrors of a file, one after another, each with its own selection and destination.

mod apart;

use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_channel::{Fault, Times};
use serde_json::Value;

use crate::config_file::{Two, ZLIBS, ZSTD, run_of};
use crate::support::{downloads, files, four_packages};

#[tokio::test]
async fn each_mirror_of_a_file_has_its_own_selection_and_name() {
    let two = Two::new().await;
    let finished = two.run("").run().await;
    finished.assert_code(0);
    two.assert_both_mirrored();
    assert_eq!(
        (downloads(&two.stage.source), downloads(&two.second)),
        (2, 1)
    );
    let heads: Vec<_> = finished
        .stdout
        .lines()
        .filter(|line| line.ends_with(':'))
        .collect();
    let to = format!("to {}/{NAMESPACE}", two.stage.fake().url());
    assert_eq!(
        heads,
        [format!("one (first {to}):"), format!("second {to}:")]
    );
}

#[tokio::test]
async fn they_run_one_after_another() {
    let two = Two::new().await;
    let stalled = Fault::Stall { after: 100 };
    two.stage.source.fault(ZLIBS[0], stalled, Times::First(1));
    let running = two.run("").spawn();
    two.stage.source.held().await;
    assert_eq!(two.second.count(|_| true), 0);
    two.stage.source.release();
    running.wait().await.assert_code(0);
    two.assert_both_mirrored();
}

#[tokio::test]
async fn one_that_cannot_be_mirrored_does_not_keep_the_next_from_it_and_the_worst_code_counts() {
    let two = Two::new().await;
    two.stage
        .source
        .fault("linux-64/repodata.json.zst", Fault::Html, Times::Always);
    two.second.fault(ZSTD, Fault::Html, Times::Always);
    let finished = two.run("attempts = 1").run().await;
    finished.assert_code(2);
    assert!(
        finished.stdout.contains("1 failed"),
        "{}",
        finished.to_text()
    );

    two.second.heal();
    two.run("").arg("--retry-failed").run().await.assert_code(2);
    assert_eq!(two.indexed("second"), files(&[ZSTD]));

    two.stage.source.heal();
    two.stage.source.fault(ZLIBS[0], Fault::Html, Times::Always);
    two.run("attempts = 1").run().await.assert_code(1);
    two.stage.source.heal();
    two.run("").arg("--retry-failed").run().await.assert_code(0);
    two.assert_both_mirrored();
}

#[tokio::test]
async fn one_that_cannot_even_begin_is_said_by_name_and_the_next_runs() {
    let stage = Stage::registry(four_packages).await;
    let registry = format!("{}/{NAMESPACE}", stage.fake().url());
    let text = format!(
        "[defaults]\nregistry = '{registry}'\nsubdir = 'linux-64'\n[[mirror]]\nchannel = './gone'\n\
         [[mirror]]\nchannel = '{}'\n",
        stage.source.url()
    );
    let finished = run_of(&stage.home, &text).run().await;
    finished.assert_code(2);
    let said = finished
        .stderr
        .lines()
        .find(|line| line.contains("is no folder"));
    assert!(
        said.is_some_and(|line| line.contains("gone to http")),
        "{}",
        finished.to_text()
    );
    stage.assert_complete();
}

#[tokio::test]
async fn after_a_signal_no_further_mirror_is_begun() {
    let two = Two::new().await;
    let stalled = Fault::Stall { after: 100 };
    two.stage.source.fault(ZLIBS[0], stalled, Times::First(1));
    let mut running = two.run("").spawn();
    two.stage.source.held().await;
    running.interrupt();
    running
        .until("to have heard the signal", |_, stderr| {
            stderr.contains("stopping")
        })
        .await;
    two.stage.source.release();
    running.wait().await.assert_code(130);
    assert_eq!(two.second.count(|_| true), 0);
}

#[tokio::test]
async fn json_is_an_object_a_mirror_each_on_a_line() {
    let two = Two::new().await;
    let finished = two.run("").arg("--json").run().await;
    finished.assert_code(0);
    let lines = finished.stdout.lines().map(serde_json::from_str::<Value>);
    let objects: Vec<Value> = lines.map(|line| line.expect("a line is JSON")).collect();
    let channels: Vec<_> = objects
        .iter()
        .map(|object| object["channel"].as_str().unwrap())
        .collect();
    assert_eq!(channels, ["first", "second"]);
    assert_eq!(objects[0]["name"], "one");
    assert_eq!(objects[1].get("name"), None, "the file gives it none");
    assert_eq!(objects[1]["totals"]["done"], 1);
}

#[tokio::test]
async fn a_dry_run_plans_every_mirror_and_changes_nothing() {
    let two = Two::new().await;
    let finished = two
        .run("")
        .args(["--dry-run", "--package", "mkl"])
        .run()
        .await;
    finished.assert_code(0);
    let rows = finished
        .stdout
        .lines()
        .filter(|line| line.starts_with("linux-64"));
    assert_eq!(rows.count(), 2, "{}", finished.to_text());
    assert_eq!(two.stage.fake().log().writes(), 0);
    assert_eq!(
        (downloads(&two.stage.source), downloads(&two.second)),
        (0, 0)
    );
}

#[tokio::test]
async fn what_goes_wrong_is_said_with_the_mirror_it_is_about() {
    let two = Two::new().await;
    let limited = two.run("max-files = 1").run().await;
    limited.assert_code(2);
    assert_eq!(
        two.indexed("second"),
        files(&[ZSTD]),
        "one file is within the limit"
    );
    let over = limited
        .stderr
        .lines()
        .find(|line| line.contains("--max-files 1"));
    let first = format!("one (first to {}/{NAMESPACE}): ", two.stage.fake().url());
    assert!(
        over.is_some_and(|line| line.contains(&first)),
        "{}",
        limited.to_text()
    );

    let two = Two::new().await;
    let name = format!("second to {}/{NAMESPACE}:", two.stage.fake().url());
    two.second.fault(ZSTD, Fault::Html, Times::Always);
    let quiet = two.run("attempts = 1").arg("--quiet").run().await;
    quiet.assert_code(1);
    let (_, said) = quiet
        .stderr
        .split_once(&name)
        .unwrap_or_else(|| panic!("{}", quiet.to_text()));
    assert!(said.contains("1 failed"), "{}", quiet.to_text());
    assert!(
        !quiet.stderr.contains("first to"),
        "quiet about the one that went well"
    );
}
