//! What both groups of these tests do.

use std::time::Duration;

use mirror_kit::process::{Finished, Run};
use serde_json::Value;
use tokio::time::Instant;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// A file of [`bulk`](mirror_kit::channel::bulk) channels.
pub(crate) fn file_of(channel: &mirror_kit::channel::Channel) -> String {
    let mut files = channel.files.iter().map(|file| &file.file_name);
    files.next().expect("a channel has files").clone()
}

/// The object that a command prints.
pub(crate) async fn json(run: Run) -> Value {
    let finished = run.arg("--json").run().await;
    finished.assert_code(0);
    object(&finished)
}

pub(crate) fn object(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.to_text()))
}

/// Asks with `run` again and again until its object is such.
pub(crate) async fn until(
    what: &str,
    run: impl Fn() -> Run,
    such: impl Fn(&Value) -> bool,
) -> Value {
    let started = Instant::now();
    loop {
        let seen = json(run()).await;
        if such(&seen) {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "waited for {what}: {seen:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The entry of a subdir in what `status` printed.
pub(crate) fn subdir<'s>(status: &'s Value, name: &str) -> &'s Value {
    let subdirs = status["subdirs"].as_array().unwrap();
    let found = subdirs.iter().find(|subdir| subdir["subdir"] == name);
    found.unwrap_or(&Value::Null)
}

/// `docs/status.schema.json` describes it.
#[track_caller]
pub(crate) fn assert_described(status: &Value) {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../docs/status.schema.json")).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors = validator.iter_errors(status);
    let errors: Vec<_> = errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{status:#}");
}

#[track_caller]
pub(crate) fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}
