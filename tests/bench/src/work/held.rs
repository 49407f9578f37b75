//! A mirror that holds up to a million files: its publications, and runs with nothing to do.
//!
//! No file is transferred for it. A first run publishes an empty index, so that ledger and registry
//! agree; then the ledger is told that every file of a generated index is done, in the way in which
//! the program itself takes over an index. To the next run the mirror holds them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use mirror_kit::channel::synthetic_repodata;
use mirror_kit::servers::DockerRegistry;
use mirror_ledger::{Outcomes as _, RedbLedger};
use tempfile::TempDir;

use super::Found;
use super::generated::{files, patch};
use crate::bench::{Bench, NAMESPACE, megabytes};
use crate::measure::Measured;
use crate::proxy::{Proxy, Seen};
use crate::report::{Row, Target, figure};
use crate::stats::Spread;
use crate::svg::{Plot, Series};

const FULL: [(u64, &str); 3] = [
    (10_000, "10,000"),
    (100_000, "100,000"),
    (1_000_000, "1,000,000"),
];
const QUICK: [(u64, &str); 1] = [(10_000, "10,000")];
const EMPTY: &str = r#"{"info":{"subdir":"linux-64"},"packages":{},"packages.conda":{},"removed":[],"repodata_version":1}"#;
/// Outcomes that are written together.
const BATCH: usize = 10_000;

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let mut found = Found::default();
    let mut lines = [
        Series::new("publish, 1 % changed", Vec::new()),
        Series::new("nothing changed, index read again", Vec::new()),
        Series::new("nothing to do", Vec::new()),
    ];
    let sizes: &[(u64, &str)] = if bench.quick { &QUICK } else { &FULL };
    for (count, words) in sizes {
        let at = *count as f64;
        let held = Held::make(bench, *count).await?;
        let first = held.run(bench).await?;
        let shards = first.shards();
        ensure!(
            shards > 0,
            "the first publication of {words} records wrote no shard"
        );
        found.rows.push(row(
            format!(
                "publish {words} records, {} shards, the first time",
                figure(shards as f64)
            ),
            &[first],
        ));

        let (mut changes, mut idle, mut again) = (Vec::new(), Vec::new(), Vec::new());
        let mut expected = Vec::new();
        for round in 0..bench.rounds() {
            expected.push(held.change(round).await? as f64);
            changes.push(held.run(bench).await?);
            idle.push(held.run(bench).await?);
            held.touch()?;
            again.push(held.run(bench).await?);
        }
        for (line, runs) in lines.iter_mut().zip([&changes, &again, &idle]) {
            line.points
                .push((at, Spread::of(runs.iter().map(Run::seconds)).median));
        }
        let written: Vec<(f64, f64)> = changes
            .iter()
            .map(|run| run.shards() as f64)
            .zip(expected)
            .collect();
        let complete = written.iter().all(|(written, changed)| written >= changed);
        ensure!(complete, "shards are missing: {written:?}");
        let work = format!("publish {words} records, 1 % changed");
        found.rows.push(row(&work, &changes));
        found.rows.push(
            Row::compared(format!("{work}: shards written"), "shards", &written)
                .target(Target::RatioAtMost(1.0))
                .note("beside it the names whose records changed"),
        );
        found
            .rows
            .push(row(format!("nothing to do, {words} files held"), &idle));
        found.rows.push(row(
            format!("nothing to do, {words} files held, the index has a new date"),
            &again,
        ));
    }
    found.plots.push(Plot {
        name: "held",
        title: "Runs over a mirror that holds everything".to_owned(),
        axes: ("records in the index", "seconds"),
        series: lines.into(),
    });
    Ok(found)
}

/// One run: what it took and what it asked the registry.
pub(super) struct Run {
    measured: Measured,
    requests: Vec<Seen>,
}

impl Run {
    fn seconds(&self) -> f64 {
        self.measured.wall.as_secs_f64()
    }

    fn shards(&self) -> usize {
        self.requests
            .iter()
            .filter(|seen| seen.is_shard_manifest())
            .count()
    }
}

fn row(work: impl Into<String>, runs: &[Run]) -> Row {
    let median = |of: &dyn Fn(&Run) -> f64| Spread::of(runs.iter().map(of)).median;
    let anonymous = median(&|run| megabytes(run.measured.anonymous));
    let resident = median(&|run| megabytes(run.measured.resident));
    let cpu = median(&|run| run.measured.cpu.as_secs_f64());
    let requests = median(&|run| run.requests.len() as f64);
    Row::alone(work, "s", runs.iter().map(Run::seconds))
        .figure("anonymous_mb", anonymous)
        .figure("resident_mb", resident)
        .figure("cpu_s", cpu)
        .figure("requests", requests)
        .note(format!(
            "{} s CPU, {} MB of anonymous memory, {} MB resident at most, {} requests at the registry",
            figure(cpu),
            figure(anonymous),
            figure(resident),
            figure(requests)
        ))
}

/// A mirror that holds all files of a generated index, none of which exists.
pub(super) struct Held {
    channel: TempDir,
    home: TempDir,
    _registry: DockerRegistry,
    proxy: Proxy,
}

impl Held {
    pub(super) async fn make(bench: &Bench, count: u64) -> Result<Self> {
        let registry = DockerRegistry::launch().await?;
        let held = Self {
            channel: bench.in_memory()?,
            home: bench.home()?,
            proxy: Proxy::start(registry.addr(), std::time::Duration::ZERO).await?,
            _registry: registry,
        };
        let index = held.index();
        fs::create_dir_all(index.parent().context("an index is in a folder")?)?;
        fs::write(&index, EMPTY)?;
        held.run(bench).await?;
        let full = tokio::task::spawn_blocking(move || {
            synthetic_repodata(&index, count)?;
            fs::read(&index)
        });
        tell(&ledger_in(&held.home.path().join("state"))?, &full.await??).await?;
        Ok(held)
    }

    /// The channel's folder.
    pub(super) fn channel(&self) -> PathBuf {
        self.channel.path().join("held")
    }

    /// The registry with what was published.
    pub(super) fn registry(&self) -> String {
        self.proxy.url()
    }

    pub(super) fn index(&self) -> PathBuf {
        self.channel().join("linux-64/repodata.json")
    }

    pub(super) async fn run(&self, bench: &Bench) -> Result<Run> {
        drop(self.proxy.take());
        let channel = self.channel().display().to_string();
        let to = format!("{}/{NAMESPACE}", self.proxy.url());
        let measured = bench.mirror(self.home.path(), &channel, &to).run().await?;
        Ok(Run {
            measured,
            requests: self.proxy.take(),
        })
    }

    /// Changes the records of one name in a hundred, others each round, as a repodata patch does: the
    /// files stay. Gives how many names.
    async fn change(&self, round: usize) -> Result<usize> {
        let index = self.index();
        tokio::task::spawn_blocking(move || {
            let mut bytes = fs::read(&index)?;
            let changed = patch(&mut bytes, round);
            let part = index.with_extension("part");
            fs::write(&part, bytes)?;
            fs::rename(part, index)?;
            Ok(changed)
        })
        .await?
    }

    /// The same bytes with another date.
    fn touch(&self) -> Result<()> {
        let index = self.index();
        let part = index.with_extension("part");
        fs::copy(&index, &part)?;
        Ok(fs::rename(part, index)?)
    }
}

/// The only ledger in a state folder.
fn ledger_in(state: &Path) -> Result<PathBuf> {
    let paths = fs::read_dir(state)?.flatten().map(|entry| entry.path());
    let mut ledgers = paths.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "redb")
    });
    ledgers
        .next()
        .with_context(|| format!("no ledger in {}", state.display()))
}

/// Writes into the ledger that every file of this index is done.
async fn tell(ledger: &Path, index: &[u8]) -> Result<()> {
    let ledger = RedbLedger::open(ledger, "the benchmark")?;
    let plan = ledger.begin_plan("linux-64").await?;
    let mut files = files(index);
    loop {
        let batch: Vec<_> = files.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(());
        }
        ledger.adopt("linux-64", plan, batch).await?;
    }
}
