//! Three builds in a channel, one of which meets the fault.

use std::collections::BTreeSet;
use std::path::Path;

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::{self, Kind, When};
use mirror_kit::package::{Fill, PackageSpec};
use mirror_kit::process::Finished;
use serde_json::Value;

/// The file that meets the fault.
pub(crate) const BAD: &str = "bad-1.0-0.conda";
/// The files that must not suffer from it.
pub(crate) const GOOD: [&str; 2] = ["fine-1.0-0.conda", "good-1.0-0.conda"];

/// [`BAD`] and [`GOOD`] in linux-64; `noarch` is empty.
pub(crate) fn channel(dir: impl AsRef<Path>) -> anyhow::Result<Channel> {
    let package = |name: &str| PackageSpec::new(name, "1.0", "0").payload(5_000, Fill::Random);
    ChannelBuilder::new(dir)
        .subdir("noarch")
        .package(package("bad"))
        .package(package("fine"))
        .package(package("good"))
        .build()
}

/// A stage with this channel.
pub(crate) async fn stage() -> Stage {
    Stage::registry(channel).await
}

/// A run in which a build is tried so often, with its report.
pub(crate) async fn run(stage: &Stage, attempts: u32) -> (Finished, Report) {
    let report = Report::in_home(&stage.home);
    let attempts = attempts.to_string();
    let run = stage.run().args(["--attempts", &attempts]).arg("--report");
    (run.arg(report.path()).run().await, report)
}

/// The channel's server does this to [`BAD`].
pub(crate) async fn with_source_fault(fault: Fault, times: Times) -> Stage {
    let stage = stage().await;
    stage.source.fault(BAD, fault, times);
    stage
}

/// The registry does this to such requests in the repository of [`BAD`].
pub(crate) async fn with_registry_fault(
    kind: Kind,
    times: Nth,
    fault: fake_registry::Fault,
) -> Stage {
    let stage = stage().await;
    let when = times.of(When::kind(kind).repository_ending("/bad"));
    stage.fake().fault(when, fault);
    stage
}

/// Which of the requests.
#[derive(Clone, Copy)]
pub(crate) enum Nth {
    Always,
    First(u64),
    Only(u64),
}

impl Nth {
    fn of(self, when: When) -> When {
        match self {
            Self::Always => when,
            Self::First(count) => when.first(count),
            Self::Only(number) => when.nth(number),
        }
    }
}

/// A run with a single try a build mirrors everything: nothing was counted as a failed try.
pub(crate) async fn assert_overcome(stage: &Stage) {
    let (finished, _) = run(stage, 1).await;
    finished.assert_code(0);
    stage.assert_complete();
}

/// A run with so many tries mirrors all but [`BAD`], says so with exit code 1, and names it in the report.
/// Its entry there.
pub(crate) async fn assert_fails_alone(stage: &Stage, attempts: u32) -> Value {
    let (finished, report) = run(stage, attempts).await;
    finished.assert_code(1);
    let good: BTreeSet<String> = GOOD.iter().map(|file| (*file).to_owned()).collect();
    assert_eq!(stage.view().index_files(&stage.subdir("linux-64")), good);
    stage.assert_indexes_exact();
    stage.assert_publications_passed();
    let held = stage.held(&stage.view());
    assert!(held.is_superset(&good) && !held.contains(BAD), "{held:?}");
    for file in GOOD {
        assert_eq!(report.entry(file)["outcome"], "done");
    }
    let entry = report.entry(BAD);
    assert_eq!(entry["outcome"], "failed", "{entry:#}");
    entry
}

/// Every one of `parts` stands in the entry's cause.
pub(crate) fn assert_cause(entry: &Value, parts: &[&str]) {
    let cause = entry["cause"].as_str().unwrap();
    for part in parts {
        assert!(cause.contains(part), "no {part:?} in {cause:?}");
    }
}
