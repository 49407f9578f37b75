//! `verify` of a mirror that holds everything: seconds, requests, memory.
//!
//! Its indexes and shards are in a real registry; of its files, a registry computes what is asked ([`Computed`]), because
//! to keep a million manifests would measure that registry and not `verify`.

use anyhow::{Result, ensure};

use super::Found;
use super::computed::Computed;
use super::held::Held;
use crate::bench::{Bench, NAMESPACE, megabytes};
use crate::measure::{Measured, Process};
use crate::report::{Row, Target, figure};
use crate::stats::Spread;

const FULL: [(u64, &str); 2] = [(10_000, "10,000"), (100_000, "100,000")];
const QUICK: [(u64, &str); 1] = [(1_000, "1,000")];
/// Anonymous memory that it may take, in megabytes.
const MEMORY: f64 = 100.0;

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let sizes: &[(u64, &str)] = if bench.quick { &QUICK } else { &FULL };
    let mut rows = Vec::new();
    for (count, words) in sizes {
        let held = Held::make(bench, *count).await?;
        held.run(bench).await?;
        let index = std::fs::read(held.index())?;
        let mirror = Computed::start(&index, held.registry(), bench.client.clone()).await?;
        drop(index);
        // Half a million requests say enough at once.
        let rounds = if *count > 10_000 { 1 } else { bench.rounds() };
        let mut runs = Vec::new();
        for _ in 0..rounds {
            runs.push(verified(bench, &held, &mirror, *count).await?);
        }
        rows.extend(rows_of(&format!("verify {words} files"), &runs));
    }
    Ok(rows.into())
}

/// One look at everything, with nothing of an earlier one to go on from, and its requests. It finds nothing wrong, or
/// the run fails.
async fn verified(
    bench: &Bench,
    held: &Held,
    mirror: &Computed,
    count: u64,
) -> Result<(Measured, u64)> {
    let home = bench.home()?;
    mirror.requests();
    let measured = Process::new(&bench.program, home.path())
        .args(["verify", "--subdir", "linux-64", "--channel"])
        .args([held.channel().as_os_str()])
        .args(["--registry", &format!("{}/{NAMESPACE}", mirror.url())])
        .args(["--state".as_ref(), home.path().join("state").as_os_str()])
        .run()
        .await?;
    let requests = mirror.requests();
    // The manifest, and the package's, info's and index's blobs.
    ensure!(
        requests > 4 * count,
        "{requests} requests cannot have verified {count} files: {}",
        measured.stdout
    );
    Ok((measured, requests))
}

fn rows_of(work: &str, runs: &[(Measured, u64)]) -> [Row; 2] {
    let median =
        |of: &dyn Fn(&Measured) -> f64| Spread::of(runs.iter().map(|run| of(&run.0))).median;
    let requests = Spread::of(runs.iter().map(|run| run.1 as f64)).median;
    let (cpu, resident) = (
        median(&|run| run.cpu.as_secs_f64()),
        median(&|run| megabytes(run.resident)),
    );
    let seconds = runs.iter().map(|run| run.0.wall.as_secs_f64());
    let memory = runs.iter().map(|run| megabytes(run.0.anonymous));
    [
        Row::alone(work, "s", seconds)
            .figure("cpu_s", cpu)
            .figure("requests", requests)
            .note(format!(
                "{} s CPU, {} MB resident at most, {} requests, answered by a registry on the same cores that computes what it has",
                figure(cpu),
                figure(resident),
                figure(requests)
            )),
        Row::alone(format!("{work}: anonymous memory"), "MB", memory).target(Target::AtMost(MEMORY)),
    ]
}
