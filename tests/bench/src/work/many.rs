//! Many large packages at once: memory and spool keep to their bounds, and nothing stands still.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::package::{Fill, PackageSpec};
use mirror_kit::servers::DockerRegistry;

use super::Found;
use crate::bench::{Bench, NAMESPACE, destination, megabytes};
use crate::machine::available_memory;
use crate::replay::{Replay, Source};
use crate::report::{Row, Target, figure};
use crate::send::send;
use crate::stats::in_turn;

/// Transfers at once, and packages.
const FULL: usize = 64;
const QUICK: usize = 8;
/// The smallest package, in bytes; the largest is ten times as large. Sizes crowd at the small end,
/// as in real channels.
const SMALLEST: f64 = 20e6;
/// What the process may have resident, in megabytes.
const MEMORY: f64 = 100.0;

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let count = bench.scaled(FULL, QUICK);
    let dir = bench.in_memory()?;
    let sizes = sizes(count, bench.quick);
    let total: u64 = sizes.iter().sum();
    // Less than all of them, so that the bound is met.
    let budget = total / 2 + 1;
    let folder = dir.path().join("many");
    let channel = tokio::task::spawn_blocking(move || make(&folder, &sizes)).await??;
    let server = FakeChannel::start(&channel.dir).await?;
    // Only what is small is taken from the mirror that was made for it, so that it can go.
    let replay = bench.replay(&server.url(), "many").await?.0;
    let piped =
        replay.with_packages(|file| Source::Url(server.url_of(&format!("linux-64/{file}"))));
    let paths: HashMap<&str, &PathBuf> = channel
        .files
        .iter()
        .map(|file| (file.file_name.as_str(), &file.path))
        .collect();
    let sent = replay.with_packages(|file| Source::File(paths[file].clone()));

    let ours = async || {
        let (registry, home) = (DockerRegistry::launch().await?, bench.home()?);
        let (workers, budget) = (count.to_string(), budget.to_string());
        let spool = home.path().join("state/spool");
        let run = bench.mirror(home.path(), &server.url(), &destination(&registry));
        run.args(["--workers", &workers, "--spool-size", &budget])
            .watch(spool)
            .run()
            .await
    };
    let rate = |time: std::time::Duration| megabytes(total) / time.as_secs_f64();
    let rounds = in_turn(bench.rounds(), ours, async || {
        bare(bench, &piped, count).await.map(rate)
    })
    .await?;
    let upload = rate(bare(bench, &sent, count).await?);

    let pairs: Vec<(f64, f64)> = rounds
        .iter()
        .map(|(ours, bare)| (rate(ours.wall), *bare))
        .collect();
    let (smallest, largest) = sizes_of(&channel).context("the channel has files")?;
    let work = format!(
        "{count} transfers at once of {}–{} MB",
        figure(smallest),
        figure(largest)
    );
    let resident = rounds.iter().map(|(ours, _)| megabytes(ours.resident));
    let spool = rounds.iter().map(|(ours, _)| megabytes(ours.watched));
    Ok(vec![
        Row::compared(&work, "MB/s", &pairs)
            .target(Target::RatioAtLeast(0.9))
            .figure("upload_only_mb_per_s", upload)
            .note(format!(
                "{} MB in all; beside it the bare loop at the same concurrency, each download piped straight into its upload, unchecked. \
                 Without downloads it makes {upload:.0} MB/s",
                figure(megabytes(total))
            )),
        Row::alone(format!("{work}: peak memory"), "MB", resident).target(Target::AtMost(MEMORY)),
        Row::alone(format!("{work}: spool"), "MB", spool)
            .target(Target::AtMost(megabytes(budget)))
            .note("seen every 10 ms; the bound is `--spool-size`, half of all bytes, so that transfers wait for room"),
    ]
    .into())
}

async fn bare(bench: &Bench, replay: &Replay, at_once: usize) -> Result<std::time::Duration> {
    let registry = DockerRegistry::launch().await?;
    send(replay, &bench.client, &registry.url(), NAMESPACE, at_once).await
}

/// Sizes in bytes. Channel and registry hold all of it in memory at once: where there is less, so are they.
fn sizes(count: usize, quick: bool) -> Vec<u64> {
    let smallest = if quick { SMALLEST / 50.0 } else { SMALLEST };
    let size = |index: usize| {
        let part = index as f64 / count as f64;
        smallest * 10_f64.powf(part * part)
    };
    let total: f64 = (0..count).map(size).sum();
    let room = available_memory() as f64 * 0.7;
    let scale = (room / (3.5 * total)).min(1.0);
    (0..count)
        .map(|index| (size(index) * scale) as u64)
        .collect()
}

fn make(folder: &Path, sizes: &[u64]) -> Result<Channel> {
    let mut builder = ChannelBuilder::new(folder);
    for (number, size) in sizes.iter().enumerate() {
        // Large and small ones mixed: the index is sorted by name.
        let name = format!("many-{:03}", number * 37 % 1000);
        builder = builder.package(PackageSpec::new(&name, "1.0", "0").payload(*size, Fill::Random));
    }
    builder.build()
}

/// The smallest and the largest file, in megabytes.
fn sizes_of(channel: &Channel) -> Option<(f64, f64)> {
    let sizes = || channel.files.iter().map(|file| file.size);
    Some((megabytes(sizes().min()?), megabytes(sizes().max()?)))
}
