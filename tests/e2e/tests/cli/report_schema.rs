//! `docs/report.schema.json` describes every report there is, and nothing else.

use std::path::PathBuf;

use jsonschema::Validator;
use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_e2e::stored::REPODATA;
use mirror_kit::channel::{Channel, ChannelBuilder, Listing, standard};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::{Auth, Options};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Finished, Home, Run};
use serde_json::{Value, json};

use crate::support::four_packages;

pub(crate) fn schema() -> Value {
    serde_json::from_str(include_str!("../../../../docs/report.schema.json")).unwrap()
}

/// A validator of one of the schema's definitions.
pub(crate) fn validator_of(definition: &str) -> Validator {
    let mut schema = schema();
    let definitions = schema["$defs"].take();
    let dialect = schema["$schema"].take();
    let reference = format!("#/$defs/{definition}");
    let part = json!({ "$schema": dialect, "$ref": reference, "$defs": definitions });
    jsonschema::validator_for(&part).expect("the schema is one")
}

#[track_caller]
pub(crate) fn assert_valid(validator: &Validator, value: &Value) {
    let errors = validator.iter_errors(value);
    let errors: Vec<_> = errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

/// The report of a run that ended with `code`; it and the line of `--json` are as the schema says.
pub(crate) async fn valid(stage: &Stage, run: Run, code: i32) -> Value {
    let report = Report::in_home(&stage.home);
    let finished = run
        .arg("--json")
        .arg("--report")
        .arg(report.path())
        .run()
        .await;
    finished.assert_code(code);
    assert_valid_summary(&finished);
    let report = report.read();
    assert_valid(&jsonschema::validator_for(&schema()).unwrap(), &report);
    report
}

fn assert_valid_summary(finished: &Finished) {
    let line: Value = serde_json::from_str(&finished.stdout).expect("one JSON object");
    assert_valid(&validator_of("summary"), &line);
}

/// The entries with this outcome.
fn with_outcome<'r>(report: &'r Value, outcome: &str) -> Vec<&'r Value> {
    let files = report["files"].as_array().unwrap();
    files
        .iter()
        .filter(|file| file["outcome"] == outcome)
        .collect()
}

#[test]
fn the_schema_itself_is_valid() {
    jsonschema::meta::validate(&schema()).unwrap();
}

#[tokio::test]
async fn complete_runs_and_those_with_nothing_left_are_described() {
    let stage = Stage::registry(standard).await;
    let first = valid(&stage, stage.run(), 0).await;
    assert_eq!(with_outcome(&first, "unrepresentable").len(), 4);
    let yanked = with_outcome(&first, "done")
        .into_iter()
        .filter(|file| file["outside_index"] == "yanked");
    assert_eq!(yanked.count(), 1);
    let held = valid(
        &stage,
        stage.run().args(["-p", "*", "--exclude", "zlib"]),
        0,
    )
    .await;
    let excluded = with_outcome(&held, "held")
        .into_iter()
        .filter(|file| file["outside_index"] == "excluded");
    assert_eq!(excluded.count(), 3);
    let unchanged = valid(&stage, stage.run().args(["--exclude", "zlib"]), 0).await;
    assert_eq!(unchanged["summary"]["subdirs"][0]["unchanged"], true);
    assert_eq!(unchanged["files"], json!([]));
}

#[tokio::test]
async fn failures_of_this_run_and_of_an_earlier_one_are_described() {
    let stage = Stage::registry(four_packages).await;
    stage
        .source
        .fault("mkl-2025.0-h0_0.conda", Fault::Html, Times::Always);
    let failed = valid(&stage, stage.run().args(["--attempts", "1"]), 1).await;
    assert_eq!(with_outcome(&failed, "failed").len(), 1);
    let resting = valid(&stage, stage.run().args(["-p", "?*"]), 1).await;
    assert_eq!(with_outcome(&resting, "resting").len(), 1);
    let unchanged = valid(&stage, stage.run().args(["-p", "?*"]), 1).await;
    assert_eq!(unchanged["summary"]["totals"]["resting"], 1);
}

fn bad_records(dir: PathBuf) -> anyhow::Result<Channel> {
    let package = |name: &str| PackageSpec::new(name, "1.0", "0");
    let channel = ChannelBuilder::new(dir)
        .subdir("noarch")
        .without_zst()
        .package(package("good"))
        .package_as(
            package("hashed"),
            Listing::indexed().field("sha256", "\"beef\""),
        )
        .package_as(
            package("typed"),
            Listing::indexed().field("size", "\"large\""),
        )
        .package_as(package("bare"), Listing::indexed().unhashed())
        .build()?;
    let index = channel.dir.join("linux-64/repodata.json");
    let text = std::fs::read_to_string(&index)?;
    let named = text.replace(
        r#""packages":{"#,
        r#""packages":{"no package":{"name":"x"}"#,
    );
    anyhow::ensure!(named != text);
    std::fs::write(index, named)?;
    Ok(channel)
}

#[tokio::test]
async fn records_that_cannot_be_used_are_described_and_named() {
    let stage = Stage::registry(bad_records).await;
    let report = valid(&stage, stage.run(), 1).await;
    let mut bad: Vec<_> = with_outcome(&report, "bad-record")
        .into_iter()
        .map(|file| file["file"].clone())
        .collect();
    bad.sort_by_key(Value::to_string);
    let without_a_hash = "bare-1.0-0.conda";
    assert_eq!(
        bad,
        [
            without_a_hash,
            "hashed-1.0-0.conda",
            "no package",
            "typed-1.0-0.conda"
        ]
    );
    assert_eq!(report["summary"]["totals"]["bad_records"], 4);
    assert_eq!(report["summary"]["totals"]["done"], 1);
}

/// Puts an index of another program in the place of ours. It lists the whole of linux-64.
fn publish_as_another_program(stage: &Stage) {
    let repository = format!("{}/repodata.json", stage.subdir("linux-64"));
    let index = std::fs::read(stage.channel.dir.join("linux-64/repodata.json")).unwrap();
    let size = index.len();
    let digest = stage.view().put_blob(&repository, index);
    let blob = |kind: &str| json!({ "mediaType": kind, "digest": digest, "size": size });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("application/vnd.unknown.config.v1+json"), "layers": [blob(REPODATA)],
    });
    stage.view().put_manifest(&repository, "latest", &manifest);
}

#[tokio::test]
async fn what_another_programs_index_lists_is_described() {
    let stage = Stage::registry(four_packages).await;
    publish_as_another_program(&stage);
    let run = stage.run().args(["-p", "zlib", "--allow-shrink"]);
    let report = valid(&stage, run, 0).await;
    assert_eq!(with_outcome(&report, "not-held").len(), 2, "{report:#}");
    assert_eq!(report["summary"]["totals"]["not_held"], 2);
    assert_eq!(report["summary"]["totals"]["found"], 0);
}

#[tokio::test]
async fn the_counts_say_of_each_done_file_whether_it_was_planned_or_listed_by_another_program() {
    let stage = Stage::registry(four_packages).await;
    let elsewhere = Home::new();
    stage.run_in(&elsewhere).run().await.assert_code(0);
    publish_as_another_program(&stage);
    let report = valid(&stage, stage.run().args(["-p", "zlib"]), 0).await;
    let done = with_outcome(&report, "done").len() as u64;
    let totals = &report["summary"]["totals"];
    let counts = ["done", "found"].map(|key| totals[key].as_u64().unwrap());
    assert_eq!((done, counts), (4, [2, 2]), "{report:#}");
    assert_eq!(report["summary"]["subdirs"][0]["found"], 2);
}

#[tokio::test]
async fn an_interrupted_run_is_described() {
    let stage = Stage::registry(four_packages).await;
    stage
        .source
        .fault(".conda", Fault::Stall { after: 100 }, Times::Always);
    let report = Report::in_home(&stage.home);
    let run = stage.run().args(["--workers", "1", "--json"]);
    let mut running = run.arg("--report").arg(report.path()).spawn();
    stage.source.held().await;
    running.interrupt();
    running
        .until("to have heard the signal", |_, stderr| {
            stderr.contains("stopping")
        })
        .await;
    stage.source.heal();
    stage.source.release();
    let finished = running.wait().await;
    finished.assert_code(130);
    assert_valid_summary(&finished);
    let report = report.read();
    assert_valid(&jsonschema::validator_for(&schema()).unwrap(), &report);
    assert!(!with_outcome(&report, "pending").is_empty(), "{report:#}");
    assert_eq!(report["summary"]["interrupted"], true);
}

#[tokio::test]
async fn runs_that_only_planned_are_described() {
    let stage = Stage::registry(standard).await;
    let rate = ["--max-writes-per-minute", "60"];
    let dry = valid(&stage, stage.run().arg("--dry-run").args(rate), 0).await;
    let planned = dry["summary"]["totals"]["planned_writes"].as_u64();
    assert_eq!(dry["summary"]["planned_seconds"].as_u64(), planned);
    let over = valid(&stage, stage.run().args(["--max-files", "1"]), 2).await;
    assert!(over["summary"]["error"].is_string(), "{over:#}");
    let auth = Auth::basic("robot", "hunter2");
    let options = Options {
        auth,
        ..Options::default()
    };
    let guarded = Stage::registry_with(options, four_packages).await;
    let login = valid(&guarded, guarded.run(), 2).await;
    assert!(login["summary"]["login_needed"].is_string(), "{login:#}");
}

#[tokio::test]
async fn subdirs_that_could_not_be_mirrored_or_published_are_described() {
    let stage = Stage::registry(four_packages).await;
    let index = "linux-64/repodata.json.zst";
    stage.source.fault(index, Fault::Html, Times::Always);
    let broken = valid(&stage, stage.run(), 2).await;
    assert!(
        broken["summary"]["subdirs"][0]["error"].is_string(),
        "{broken:#}"
    );
    stage.source.heal();
    valid(&stage, stage.run(), 0).await;
    let refused = valid(&stage, stage.run().args(["--exclude", "*"]), 2).await;
    assert_eq!(refused["summary"]["subdirs"][0]["publication"], "refused");
}
