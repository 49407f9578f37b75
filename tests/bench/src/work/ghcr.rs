//! Small files into a registry with ghcr.io's ways and its limit of writes: what counts is that every write it allows is made,
//! and is one that an artifact needs.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context as _, Result};
use mirror_kit::channel::bulk_of;
use mirror_kit::fake_registry::{Entry, FakeRegistry, Vendor};

use super::Found;
use crate::bench::{Bench, NAMESPACE, SLOTS};
use crate::report::{Row, Target, figure};

/// Writes a minute that ghcr.io allows.
const LIMIT: f64 = 2000.0;
const USER: &str = "bench";
const PASSWORD: &str = "bench";
/// Names in the channel.
const NAMES: usize = 20;
/// A minute and a half of the limit; in a quick run some seconds.
const BUILDS: (usize, usize) = (440, 60);

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let dir = bench.in_memory()?;
    let builds = bench.scaled(BUILDS.0, BUILDS.1);
    let channel = bulk_of(dir.path().join("bulk"), NAMES, builds, 5_000)?;
    let folder = channel.dir.display().to_string();
    let mut runs = Vec::new();
    for _ in 0..bench.rounds() {
        runs.push(round(bench, &folder).await?);
    }
    let pairs: Vec<(f64, f64)> = runs
        .iter()
        .map(|run| (run.artifacts, LIMIT / run.writes))
        .collect();
    let last = runs.last().context("there is a round at least")?;
    let row = Row::compared("registry with ghcr.io's ways and 2,000 writes a minute", "artifacts/min", &pairs)
        .target(Target::RatioAtLeast(0.95))
        .figure("writes_an_artifact", last.writes)
        .figure("refused_writes", last.refused)
        .note(format!(
            "while it transfers, between the manifests of the first and the last wave; {builds} builds of {NAMES} names, {SLOTS} at \
             once. Beside it 2,000 ÷ writes an artifact, which were {} of the last run, counted at the registry: POST and PUT for \
             three blobs, the manifest, and the config of each new name. It answered 429 {} times",
            figure(last.writes),
            figure(last.refused)
        ));
    Ok(vec![row].into())
}

struct Round {
    /// Artifacts a minute.
    artifacts: f64,
    /// Writes that an artifact took, those for new names included.
    writes: f64,
    /// Writes that were answered 429.
    refused: f64,
}

async fn round(bench: &Bench, channel: &str) -> Result<Round> {
    let (registry, home) = (
        FakeRegistry::start_with(Vendor::Ghcr.options(USER, PASSWORD)),
        bench.home()?,
    );
    let put: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&put);
    registry.on_manifest_put(move |_, repository, _| {
        if is_package(repository) {
            seen.lock()
                .expect("no panic under this lock")
                .push(Instant::now());
        }
    });
    let docker = home.path().join(".docker");
    std::fs::create_dir_all(&docker)?;
    let login = format!(
        r#"{{"auths": {{"{}": {{"username": "{USER}", "password": "{PASSWORD}"}}}}}}"#,
        registry.addr()
    );
    std::fs::write(docker.join("config.json"), login)?;
    let to = format!("{}/{NAMESPACE}", registry.url());
    let run = bench.mirror(home.path(), channel, &to);
    run.args(["--max-writes-per-minute", "2000"]).run().await?;

    let put = put.lock().expect("no panic under this lock").clone();
    let (first, last) = put
        .get(SLOTS)
        .zip(put.last())
        .context("too few manifests for a rate")?;
    let minutes = (*last - *first).as_secs_f64() / 60.0;
    let of_packages = |entry: &Entry| {
        let repository = entry.repository.as_deref();
        entry.kind.is_write() && repository.is_some_and(is_package)
    };
    let written = registry.log().select(of_packages);
    let refused = written
        .iter()
        .filter(|entry| entry.status == Some(429))
        .count();
    Ok(Round {
        artifacts: (put.len() - SLOTS - 1) as f64 / minutes,
        writes: (written.len() - refused) as f64 / put.len() as f64,
        refused: refused as f64,
    })
}

fn is_package(repository: &str) -> bool {
    repository
        .rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("bulk-"))
}
