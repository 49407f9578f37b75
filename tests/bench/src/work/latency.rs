//! Small files into registries far away: what counts is that no slot ever waits for another.

use std::time::Duration;

use anyhow::{Context as _, Result};
use mirror_kit::channel::bulk_of;
use mirror_kit::servers::DockerRegistry;
use tokio::time::Instant;

use super::Found;
use crate::bench::{Bench, NAMESPACE, SLOTS, per_second};
use crate::proxy::{Proxy, Seen};
use crate::replay::Replay;
use crate::report::{Row, Target, figure};
use crate::send::send;
use crate::stats::Spread;
use crate::svg::{Plot, Series};

/// How long the registry takes to answer, in milliseconds.
const FULL: [u64; 6] = [5, 20, 50, 100, 200, 500];
const QUICK: [u64; 2] = [5, 50];
/// Those that the table shows.
const SHOWN: [u64; 2] = [50, 500];
/// POST, PUT, and PUT of the manifest: each needs the answer of the one before.
pub(super) const CHAIN: f64 = 3.0;
/// Builds of one name.
const VERSIONS: usize = 11;
/// Names in the channel.
const NAMES: usize = 100;
/// How long a run should go on, in seconds, where the latency is what bounds it.
const SPAN: f64 = 15.0;

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let dir = bench.in_memory()?;
    let names = bench.scaled(NAMES, 8);
    let channel = bulk_of(dir.path().join("bulk"), names, names * VERSIONS, 5_000)?;
    let folder = channel.dir.display().to_string();
    let (replay, _folder) = bench.replay(&folder, "bulk").await?;
    let mut lines = [
        Series::new("conda-oci", Vec::new()),
        Series::new("bare loop", Vec::new()),
        Series::new(format!("{SLOTS} slots ÷ (3 × latency)"), Vec::new()),
    ];
    let mut found = Found::default();
    let latencies: &[u64] = if bench.quick { &QUICK } else { &FULL };
    for milliseconds in latencies {
        let latency = Duration::from_millis(*milliseconds);
        let most = SLOTS as f64 / (CHAIN * latency.as_secs_f64());
        // Several waves at least.
        let wanted = ((most * SPAN) as usize / VERSIONS).max(16).min(names);
        let rounds = if SHOWN.contains(milliseconds) {
            bench.rounds()
        } else {
            1
        };
        let mut runs = Vec::new();
        for _ in 0..rounds {
            runs.push(Round {
                ours: program(bench, &folder, latency, wanted).await?,
                bare: loop_alone(bench, &replay.first(wanted * VERSIONS), latency).await?,
            });
        }
        let at = *milliseconds as f64;
        let median = |of: fn(&Round) -> f64| Spread::of(runs.iter().map(of)).median;
        lines[0]
            .points
            .push((at, median(|round| round.ours.steady)));
        lines[1].points.push((at, median(|round| round.bare)));
        lines[2].points.push((at, most));
        if SHOWN.contains(milliseconds) {
            found.rows.push(row(*milliseconds, most, &runs));
        }
    }
    found.plots.push(Plot {
        name: "latency",
        title: format!("Small files into a registry that answers late, {SLOTS} at once"),
        axes: ("latency of the registry, ms", "files a second"),
        series: lines.into(),
    });
    Ok(found)
}

/// The program beside the bare loop, in files a second.
struct Round {
    ours: Ours,
    bare: f64,
}

struct Ours {
    /// While it transfers.
    steady: f64,
    /// From its start to its end.
    whole: f64,
    /// What part of all cores was busy.
    busy: f64,
}

/// `most`: what the latency allows.
fn row(milliseconds: u64, most: f64, runs: &[Round]) -> Row {
    let median = |of: fn(&Round) -> f64| Spread::of(runs.iter().map(of)).median;
    let (bare, whole) = (median(|round| round.bare), median(|round| round.ours.whole));
    let (steady, busy) = (
        median(|round| round.ours.steady),
        median(|round| round.ours.busy * 100.0),
    );
    // With the CPU full the bare loop stays behind what the latency allows, and no program can do more.
    let pairs: Vec<(f64, f64)> = runs
        .iter()
        .map(|round| (round.ours.steady, round.bare.min(most)))
        .collect();
    Row::compared(format!("registry that answers after {milliseconds} ms, {SLOTS} at once"), "files/s", &pairs)
        .target(Target::RatioAtLeast(0.9))
        .figure("latency_allows_files_per_s", most)
        .figure("bare_loop_files_per_s", bare)
        .figure("whole_run_files_per_s", whole)
        .figure("busy_percent", busy)
        .note(format!(
            "while it transfers, counted by the manifests that pass. The latency allows slots ÷ (3 × latency) = {} files/s ({:.2} of it \
             reached), the bare loop reaches {} through the same proxy; beside it stands the lesser. All cores were {busy:.0} % busy. With \
             start, plan and publication the run makes {} files/s",
            figure(most),
            steady / most,
            figure(bare),
            figure(whole)
        ))
}

async fn program(bench: &Bench, channel: &str, latency: Duration, names: usize) -> Result<Ours> {
    let (registry, home) = (DockerRegistry::launch().await?, bench.home()?);
    let proxy = Proxy::start(registry.addr(), latency).await?;
    let to = format!("{}/{NAMESPACE}", proxy.url());
    let packages = (0..names).flat_map(|name| ["--package".to_owned(), format!("bulk-{name:05}")]);
    let measured = bench
        .mirror(home.path(), channel, &to)
        .args(packages)
        .run()
        .await?;
    Ok(Ours {
        steady: steady(&proxy.take(), SLOTS)?,
        whole: per_second(names * VERSIONS, measured.wall),
        busy: measured.busy,
    })
}

async fn loop_alone(bench: &Bench, replay: &Replay, latency: Duration) -> Result<f64> {
    let registry = DockerRegistry::launch().await?;
    let proxy = Proxy::start(registry.addr(), latency).await?;
    send(replay, &bench.client, &proxy.url(), NAMESPACE, SLOTS).await?;
    steady(&proxy.take(), SLOTS)
}

/// Files a second between the second wave of transfers and the last, `slots` of them in a wave.
pub(super) fn steady(seen: &[Seen], slots: usize) -> Result<f64> {
    let mut times: Vec<Instant> = seen
        .iter()
        .filter(|seen| seen.is_package_manifest())
        .map(|seen| seen.at)
        .collect();
    times.sort();
    between_waves(&times, slots)
        .with_context(|| format!("{} manifests are too few for a rate", times.len()))
}

/// From the first of one wave to the first of another: where slots march in step, any other stretch
/// would count a wave too many or too few.
fn between_waves(times: &[Instant], slots: usize) -> Option<f64> {
    let last = times.len().checked_sub(1)? / slots * slots;
    let files = last.checked_sub(slots).filter(|files| *files > 0)?;
    let span = times[last] - times[slots];
    Some(files as f64 / span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn waves_in_step_and_an_even_stream_have_the_same_rate() {
        let start = Instant::now();
        let at = |milliseconds: usize| start + Duration::from_millis(milliseconds as u64);
        let waves: Vec<Instant> = (0..100).map(|file| at(file / SLOTS * 1600)).collect();
        let even: Vec<Instant> = (0..100).map(|file| at(file * 100)).collect();
        assert!((between_waves(&waves, SLOTS).unwrap() - 10.0).abs() < 1e-9);
        assert!((between_waves(&even, SLOTS).unwrap() - 10.0).abs() < 1e-9);
        let few = &even[..SLOTS + 1];
        assert!(between_waves(few, SLOTS).is_none() && between_waves(&[], SLOTS).is_none());
    }
}
