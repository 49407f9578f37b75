//! A million outcomes in Redis: what they take, and how long they are written and looked up.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mirror_kit::servers::RedisServer;
use mirror_ledger::{FileOutcome, Outcomes as _, RedisConnection, RedisLedger, RedisOptions};

use super::Found;
use crate::bench::{Bench, per_second};
use crate::report::{Row, Target, figure};

const FULL: [u64; 4] = [10_000, 100_000, 1_000_000, 3_000_000];
const QUICK: [u64; 1] = [10_000];
/// What a done file may take of Redis' memory where a subdir has a million.
const BYTES: f64 = 100.0;
/// What a plan looks up together.
const BATCH: u64 = 5_000;
const SUBDIR: &str = "linux-64";

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let sizes: &[u64] = if bench.quick { &QUICK } else { &FULL };
    let mut rows = Vec::new();
    for count in sizes {
        let words = figure(*count as f64);
        let server = RedisServer::launch().await?;
        let options = RedisOptions::new(server.url());
        let connection = RedisConnection::connect(options).await?;
        let ledger = connection.ledger("ghcr.io/organisation", "conda-forge");
        let before = server.info("used_memory")?;
        let written = write(&ledger, *count).await?;
        let bytes = (server.info("used_memory")? - before) as f64 / *count as f64;
        let looked_up = look_up(&ledger, *count).await?;

        let memory = Row::alone(
            format!("{words} done files in Redis"),
            "bytes a file",
            [bytes],
        );
        rows.push(match *count {
            1_000_000 => memory.target(Target::AtMost(BYTES)).note(
                "`used_memory` of redis-server before and after they were adopted through our driver",
            ),
            _ => memory,
        });
        for (what, took) in [("write", written), ("look up", looked_up)] {
            let rate = per_second(usize::try_from(*count)?, took);
            rows.push(
                Row::alone(
                    format!("{what} {words} outcomes in Redis"),
                    "files/s",
                    [rate],
                )
                .figure("seconds", took.as_secs_f64()),
            );
        }
    }
    Ok(rows.into())
}

fn name(number: u64) -> String {
    format!(
        "package-{}-1.2.{number}-py312h{number:07x}_0.conda",
        number / 50
    )
}

fn done(number: u64) -> FileOutcome {
    // Any bytes will do: digests are not compressed.
    let mut sha256 = [0xa5; 32];
    sha256[..8].copy_from_slice(&number.to_be_bytes());
    FileOutcome::Done {
        sha256,
        md5: None,
        size: 100_000 + number * 17 % 100_000_000,
    }
}

async fn write(ledger: &RedisLedger, count: u64) -> Result<Duration> {
    let mut took = Duration::ZERO;
    for start in (0..count).step_by(BATCH as usize) {
        let batch = (start..count.min(start + BATCH)).map(|n| (name(n), done(n)));
        let batch: Vec<_> = batch.collect();
        let begun = Instant::now();
        ledger.adopt(SUBDIR, 1_790_000_000_000, batch).await?;
        took += begun.elapsed();
    }
    Ok(took)
}

async fn look_up(ledger: &RedisLedger, count: u64) -> Result<Duration> {
    let mut took = Duration::ZERO;
    for start in (0..count).step_by(BATCH as usize) {
        let numbers = start..count.min(start + BATCH);
        let batch: Vec<_> = numbers.clone().map(name).collect();
        let begun = Instant::now();
        let found = ledger.get_many(SUBDIR, &batch).await?;
        took += begun.elapsed();
        for (found, number) in found.iter().zip(numbers) {
            let outcome = found.as_ref().map(|recorded| &recorded.outcome);
            ensure!(outcome == Some(&done(number)), "file {number}: {outcome:?}");
        }
    }
    Ok(took)
}
