//! Small files into a registry: requests are all that counts.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use mirror_kit::channel::bulk_of;
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::servers::DockerRegistry;

use super::Found;
use crate::bench::{Bench, NAMESPACE, SLOTS, destination, per_second};
use crate::measure::{Measured, cpu_of};
use crate::replay::Replay;
use crate::report::{Row, Target, count};
use crate::send::send;
use crate::stats::{Spread, in_turn};

/// Names and builds: eleven versions of each.
const FULL: (usize, usize) = (100, 1_100);
const QUICK: (usize, usize) = (5, 55);
/// About what each weighs, in bytes.
const SIZE: u64 = 5_000;

/// One run of the program.
struct Ours {
    measured: Measured,
    /// From the program's start to the last package's manifest.
    transferred: Duration,
    /// CPU time of the registry.
    registry: Duration,
}

/// One run of the bare loop.
struct Bare {
    /// Files a second.
    rate: f64,
    /// CPU time of the registry.
    registry: Duration,
}

/// Runs of both, side by side.
type Rounds = Vec<(Ours, Bare)>;

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let dir = bench.in_memory()?;
    let (names, builds) = bench.scaled(FULL, QUICK);
    let channel = bulk_of(dir.path().join("bulk"), names, builds, SIZE)?;
    let server = FakeChannel::start(&channel.dir).await?;
    let (replay, _folder) = bench.replay(&server.url(), "bulk").await?;

    let http = rounds(bench, &server.url(), &replay).await?;
    let local = rounds(bench, &channel.dir.display().to_string(), &replay).await?;
    let rates = |rounds: &Rounds, time: fn(&Ours) -> Duration| -> Vec<(f64, f64)> {
        let rate = |(ours, bare): &(Ours, Bare)| (per_second(builds, time(ours)), bare.rate);
        rounds.iter().map(rate).collect()
    };
    let whole = |ours: &Ours| ours.measured.wall;
    let cpu = http
        .iter()
        .map(|(ours, _)| ours.measured.cpu.as_secs_f64() * 1e3 / builds as f64);
    let a_file = |cpu: Duration| cpu.as_secs_f64() * 1e3 / builds as f64;
    let registry = Spread::of(http.iter().map(|(ours, _)| a_file(ours.registry))).median;
    let registry_bare = Spread::of(http.iter().map(|(_, bare)| a_file(bare.registry))).median;
    let busy = Spread::of(http.iter().map(|(ours, _)| ours.measured.busy * 100.0)).median;
    let work = format!(
        "{} files of 5 kB → registry, {SLOTS} at once",
        count(builds)
    );
    Ok(vec![
        Row::compared(&work, "files/s", &rates(&http, whole))
            .target(Target::RatioAtLeast(0.9))
            .figure("busy_percent", busy)
            .figure("registry_cpu_ms_per_file", registry)
            .figure("registry_cpu_ms_per_file_bare_loop", registry_bare)
            .note(format!(
                "from the program's start to its end, with start, plan and publication of the index; the channel is served over http, \
                 {names} names. Beside it the bare loop: POST and PUT for three blobs at once, PUT of the manifest, the config once a \
                 repository; it neither downloads nor publishes. All cores were {busy:.0} % busy, of which the registry alone took {registry:.1} ms a \
                 file; with the bare loop it took {registry_bare:.1} ms"
            )),
        Row::compared(format!("{work}: until the last manifest"), "files/s", &rates(&http, |ours| ours.transferred))
            .note("the same runs without the publication of the index, which the bare loop does not do"),
        Row::alone(format!("{work}: own CPU a file"), "ms", cpu).target(Target::AtMost(3.0)),
        Row::compared(format!("{work}, the channel is a folder"), "files/s", &rates(&local, whole)),
    ]
    .into())
}

/// The program and the bare loop in turn, each into a registry of its own.
async fn rounds(bench: &Bench, channel: &str, replay: &Replay) -> Result<Rounds> {
    let ours = async || {
        let (registry, home) = (DockerRegistry::launch().await?, bench.home()?);
        let started = SystemTime::now();
        let run = bench.mirror(home.path(), channel, &destination(&registry));
        let measured = run.run().await?;
        let last = last_manifest(&registry.storage(), &replay.builds[0].repository)?;
        Ok(Ours {
            measured,
            registry: registry_cpu(&registry)?,
            transferred: last.duration_since(started)?,
        })
    };
    let bare = async || {
        let registry = DockerRegistry::launch().await?;
        let took = send(replay, &bench.client, &registry.url(), NAMESPACE, SLOTS).await?;
        Ok(Bare {
            rate: per_second(replay.builds.len(), took),
            registry: registry_cpu(&registry)?,
        })
    };
    in_turn(bench.rounds(), ours, bare).await
}

fn registry_cpu(registry: &DockerRegistry) -> Result<Duration> {
    cpu_of(registry.pid().context("the registry runs")?)
}

/// When the registry wrote the last tag of a package, by its files. `repository` is any of the subdir.
fn last_manifest(storage: &Path, repository: &str) -> Result<SystemTime> {
    let repositories = storage
        .join("docker/registry/v2/repositories")
        .join(NAMESPACE);
    let any = repositories.join(repository);
    let subdir = any.parent().context("a repository is in a subdir")?;
    let mut last = SystemTime::UNIX_EPOCH;
    for repository in fs::read_dir(subdir)?.flatten() {
        if repository.file_name() == "repodata.json" {
            continue;
        }
        for tag in fs::read_dir(repository.path().join("_manifests/tags"))?.flatten() {
            last = last.max(fs::metadata(tag.path().join("current/link"))?.modified()?);
        }
    }
    Ok(last)
}
