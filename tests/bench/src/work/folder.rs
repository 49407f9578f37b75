//! Small files into a folder of image layouts.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mirror_kit::channel::bulk_of;
use mirror_kit::fake_channel::FakeChannel;
use tokio::process::Command;

use super::Found;
use crate::bench::{Bench, per_second};
use crate::report::{Row, Target, count};

const FULL: (usize, usize) = (100, 1_100);
const QUICK: (usize, usize) = (5, 55);
const SIZE: u64 = 5_000;

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let dir = bench.in_memory()?;
    let (names, builds) = bench.scaled(FULL, QUICK);
    let channel = bulk_of(dir.path().join("bulk"), names, builds, SIZE)?;
    let server = FakeChannel::start(&channel.dir).await?;
    let work = format!("{} files of 5 kB → `oci:` folder", count(builds));
    let memory = rounds(bench, &server.url(), builds, dir.path()).await?;
    let disk = tempfile::tempdir()?;
    let disk = rounds(bench, &server.url(), builds, disk.path()).await?;
    Ok(vec![
        Row::compared(format!("{work} in memory"), "files/s", &memory)
            .target(Target::AtLeast(640.0))
            .note("over http, whole run; beside it `cp -r` of the folder that came of it. 640 files a second is what conda-mirror 0.12.1 made of such files, http → folder"),
        Row::compared(format!("{work} on disk"), "files/s", &disk)
            .note("the program makes all of it durable before it says that it is done; `cp` does not"),
    ]
    .into())
}

async fn rounds(
    bench: &Bench,
    channel: &str,
    builds: usize,
    place: &Path,
) -> Result<Vec<(f64, f64)>> {
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds() {
        let (home, folder) = (bench.home()?, tempfile::tempdir_in(place)?);
        let (mirror, copy) = (folder.path().join("mirror"), folder.path().join("copy"));
        let registry = format!("oci:{}", mirror.display());
        let ours = bench.mirror(home.path(), channel, &registry).run().await?;
        let copied = cp(&mirror, &copy).await?;
        rounds.push((per_second(builds, ours.wall), per_second(builds, copied)));
    }
    Ok(rounds)
}

async fn cp(from: &Path, to: &Path) -> Result<Duration> {
    let started = Instant::now();
    let status = Command::new("cp")
        .arg("-r")
        .arg(from)
        .arg(to)
        .status()
        .await?;
    ensure!(
        status.success(),
        "cp -r of {} ended with {status}",
        from.display()
    );
    Ok(started.elapsed())
}
