//! Runs of `conda-oci verify`, and what their reports say. Each report is held against its schema.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::{Fill, Format, PackageSpec};
use mirror_kit::process::Run;
use rattler_conda_types::ShardedRepodata;
use serde_json::{Value, json};

/// A few packages: `two` in both formats, `many` in two versions, `data` in noarch.
pub(crate) fn few(dir: PathBuf) -> anyhow::Result<Channel> {
    let package = |name: &str, version: &str| {
        PackageSpec::new(name, version, "0").payload(3_000, Fill::Random)
    };
    ChannelBuilder::new(dir)
        .package(package("one", "1.0"))
        .package(package("two", "1.0"))
        .package(package("two", "1.0").format(Format::TarBz2))
        .package(package("many", "1.0"))
        .package(package("many", "2.0"))
        .package(package("data", "1.0").noarch())
        .build()
}

/// A mirror of [`few`] in a fake registry.
pub(crate) async fn mirrored() -> Stage {
    let stage = Stage::registry(few).await;
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    stage
}

/// `conda-oci verify` of both subdirs of a stage.
pub(crate) fn verify(stage: &Stage) -> Run {
    stage
        .command_in("verify", &stage.home)
        .args(["--subdir", "noarch"])
}

fn schema() -> jsonschema::Validator {
    let schema = include_str!("../../../../docs/verify.schema.json");
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
}

/// Runs it to an end with `code`, and gives its report.
pub(crate) async fn report(stage: &Stage, run: Run, code: i32) -> Value {
    let report = Report::in_home(&stage.home);
    let finished = run.arg("--report").arg(report.path()).run().await;
    finished.assert_code(code);
    let report = report.read();
    assert_described(&report);
    report
}

/// # Panics
/// If the report is not as the schema says.
#[track_caller]
pub(crate) fn assert_described(report: &Value) {
    let errors: Vec<_> = schema()
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
}

/// `kind subject` of the findings of this class, sorted.
pub(crate) fn found(report: &Value, class: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let mut found: Vec<_> = findings
        .filter(|finding| finding["class"] == class && finding["standing"] == "present")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            format!("{} {}", text("kind"), text("subject"))
        })
        .collect();
    found.sort();
    found
}

/// How many were mended.
pub(crate) fn repaired(report: &Value) -> usize {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["standing"] == "repaired")
        .count()
}

/// What a shard index lists: names and hashes in hex.
pub(crate) fn shard_hashes(index: &[u8]) -> BTreeMap<String, String> {
    let index: ShardedRepodata = rmp_serde::from_slice(&zstd::decode_all(index).unwrap()).unwrap();
    let hex = |hash: &[u8]| hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let shards = index.shards.iter();
    shards
        .map(|(name, hash)| (name.clone(), hex(hash)))
        .collect()
}

/// A shard index that lists other shards, hashes in hex.
pub(crate) fn edited_shard_index(
    index: &[u8],
    edit: impl FnOnce(&mut BTreeMap<String, String>),
) -> Vec<u8> {
    let mut hashes = shard_hashes(index);
    edit(&mut hashes);
    let info = json!({"subdir": "linux-64", "base_url": "", "shards_base_url": "./shards/"});
    let content = rmp_serde::to_vec_named(&json!({"info": info, "shards": hashes})).unwrap();
    zstd::encode_all(&*content, 3).unwrap()
}

/// The repository of the index of linux-64.
pub(crate) fn index_repository(stage: &Stage) -> String {
    format!("{}/repodata.json", stage.subdir("linux-64"))
}
