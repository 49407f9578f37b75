//! A cluster: small files through any number of worker processes into a registry far away. What counts is that twice the
//! workers do twice the work.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use mirror_kit::channel::bulk_of;
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::process::Run;
use mirror_kit::servers::{DockerRegistry, RabbitMq, RedisServer};

use super::Found;
use super::latency::{CHAIN, steady};
use crate::bench::{Bench, NAMESPACE, SLOTS};
use crate::machine::{busy, cpu_ticks};
use crate::proxy::Proxy;
use crate::report::{Row, Target, figure};
use crate::stats::Spread;
use crate::svg::{Plot, Series};

/// Worker processes, each with as many transfers at once as the program has by default.
const FULL: [usize; 4] = [1, 2, 4, 8];
const QUICK: [usize; 2] = [1, 2];
/// How long the registry takes to answer.
const LATENCY: Duration = Duration::from_millis(500);
const QUICK_LATENCY: Duration = Duration::from_millis(50);
/// Names in the channel.
const NAMES: usize = 140;
const QUICK_NAMES: usize = 12;
/// Builds of one name.
const VERSIONS: usize = 11;
/// About what each weighs, in bytes.
const SIZE: u64 = 5_000;
/// How long a run should go on, in seconds: several waves of transfers.
const SPAN: f64 = 15.0;
/// No run of this may take longer.
const DEADLINE: Duration = Duration::from_secs(900);

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let dir = bench.in_memory()?;
    let names = bench.scaled(NAMES, QUICK_NAMES);
    let channel = bulk_of(dir.path().join("bulk"), names, names * VERSIONS, SIZE)?;
    let channel = FakeChannel::start(&channel.dir).await?;
    let latency = bench.scaled(LATENCY, QUICK_LATENCY);
    let broker = RabbitMq::launch().await?;
    let counts: &[usize] = bench.scaled(&FULL, &QUICK);
    let mut found = Found::default();
    let mut lines = [
        Series::new("conda-oci-worker", Vec::new()),
        Series::new(
            format!("workers × {SLOTS} slots ÷ (3 × latency)"),
            Vec::new(),
        ),
    ];
    for count in counts {
        let ideal = (count * SLOTS) as f64 / (CHAIN * latency.as_secs_f64());
        let mut runs = Vec::new();
        for round in 0..bench.rounds() {
            // A queue of its own: what an earlier run left at the broker must not be delivered here.
            let queue = format!("bench-{count}-{round}");
            let workers = Workers {
                count: *count,
                names: ((ideal * SPAN) as usize / VERSIONS).clamp(1, names),
                latency,
            };
            runs.push(workers.run(bench, &channel, &broker, &queue).await?);
        }
        let reached = Spread::of(runs.iter().map(|run| run.rate)).median;
        lines[0].points.push((*count as f64, reached));
        lines[1].points.push((*count as f64, ideal));
        let pairs: Vec<(f64, f64)> = runs.iter().map(|run| (run.rate, ideal)).collect();
        let busy = Spread::of(runs.iter().map(|run| run.busy * 100.0)).median;
        let milliseconds = latency.as_millis();
        let work =
            format!("{count} worker processes, registry that answers after {milliseconds} ms");
        found.rows.push(
            Row::compared(work, "files/s", &pairs)
                .target(Target::RatioAtLeast(0.9))
                .figure("busy_percent", busy)
                .note(format!(
                    "over RabbitMQ and Redis, {SLOTS} transfers at once in each worker, counted by the manifests that pass; beside it what \
                     the latency allows, slots ÷ (3 × latency) = {} files/s. All cores were {busy:.0} % busy",
                    figure(ideal)
                )),
        );
    }
    found.plots.push(Plot {
        name: "workers",
        title: "Small files through workers, into a registry that answers after half a second"
            .to_owned(),
        axes: ("worker processes", "files a second"),
        series: lines.into(),
    });
    Ok(found)
}

/// One run.
struct Ran {
    /// Files a second while it transfers.
    rate: f64,
    /// What part of all cores was busy.
    busy: f64,
}

/// A run to be.
struct Workers {
    /// Worker processes.
    count: usize,
    /// Names that are mirrored.
    names: usize,
    latency: Duration,
}

impl Workers {
    /// Mirrors with a Redis and a registry of its own.
    async fn run(
        &self,
        bench: &Bench,
        channel: &FakeChannel,
        broker: &RabbitMq,
        queue: &str,
    ) -> Result<Ran> {
        let (registry, redis) = (
            DockerRegistry::launch().await?,
            RedisServer::launch().await?,
        );
        let proxy = Proxy::start(registry.addr(), self.latency).await?;
        let (broker, redis) = (broker.url(), redis.url());
        let cluster = ["--queue", &broker, "--queue-name", queue, "--state", &redis];
        let workers: Vec<_> = (0..self.count)
            .map(|_| process(&bench.worker).args(cluster).spawn())
            .collect();
        let packages = (0..self.names).map(|name| format!("--package=bulk-{name:05}"));
        let mirror = process(&bench.program)
            .arg("mirror")
            .args(cluster)
            .args(["--subdir", "linux-64", "--channel", &channel.url()])
            .args(["--registry", &format!("{}/{NAMESPACE}", proxy.url())])
            .args(packages);
        let before = cpu_ticks();
        mirror.run().await.assert_code(0);
        let after = cpu_ticks();
        for worker in &workers {
            worker.term();
        }
        for worker in workers {
            worker.wait().await.assert_code(0);
        }
        Ok(Ran {
            rate: steady(&proxy.take(), self.count * SLOTS)?,
            busy: busy(before, after),
        })
    }
}

fn process(program: &Path) -> Run {
    Run::new().program(program).deadline(DEADLINE)
}
