//! A run in the midst, for something to happen to it, and what its processes may say of that.

use std::path::PathBuf;
use std::time::Duration;

use mirror_e2e::cluster::Cluster;
use mirror_e2e::finished::Finished as Kept;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, bulk};
use mirror_kit::fake_registry::{Hold, Kind, When};
use mirror_kit::process::{Finished, Run, Running};
use mirror_kit::servers::{RabbitMq, RabbitMqOptions, RedisServer};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Builds of the channel.
pub(crate) const BUILDS: usize = 40;
/// Builds that are done when something happens.
const DONE: usize = 10;
/// Transfers of a worker at once.
pub(crate) const SLOTS: usize = 4;

/// What heals does so within two lifetimes of a claim, and a few of them may follow one another.
pub(crate) const LONG: Duration = Duration::from_secs(400);

/// What is said of a broker.
pub(crate) const BROKER: [&str; 2] = ["no connection to the broker", "the broker is back"];
/// What is said of Redis.
pub(crate) const REDIS: [&str; 2] = ["Redis is away", "Redis is back"];
/// What is said of a ledger that was found empty.
pub(crate) const FORGOT: &str = "the ledger lost what it knew";

pub(crate) fn forty(dir: PathBuf) -> anyhow::Result<Channel> {
    bulk(dir, BUILDS, 4_000)
}

/// A cluster whose servers may be stopped.
pub(crate) async fn own() -> Cluster {
    own_with(&RabbitMqOptions::default()).await
}

/// The same with such a broker. Many brokers that start at once take each other's time.
pub(crate) async fn own_with(options: &RabbitMqOptions<'_>) -> Cluster {
    static STARTING: Mutex<()> = Mutex::const_new(());
    let one = STARTING.lock().await;
    let broker = RabbitMq::launch_with(options).await.unwrap();
    drop(one);
    let redis = RedisServer::launch().await.unwrap();
    Cluster::with_own(broker, redis, forty).await
}

/// A worker of the usual size.
pub(crate) fn worker(cluster: &Cluster) -> Run {
    let slots = SLOTS.to_string();
    cluster.worker().args(["--workers", &slots]).deadline(LONG)
}

/// A coordinator and two workers, some builds done, and each slot of the workers before a manifest.
pub(crate) struct Midst {
    pub(crate) coordinator: Running,
    pub(crate) workers: Vec<Running>,
    pub(crate) hold: Hold,
    pub(crate) kept: Kept,
}

impl Midst {
    pub(crate) async fn of(cluster: &Cluster) -> Self {
        let workers = [worker(cluster), worker(cluster)];
        Self::with(&cluster.stage, cluster.mirror(), workers).await
    }

    pub(crate) async fn with(stage: &Stage, coordinator: Run, workers: [Run; 2]) -> Self {
        let manifests = When::kind(Kind::ManifestPut).from_nth(DONE as u64 + 1);
        let hold = stage.fake().hold(manifests);
        let workers: Vec<_> = workers.into_iter().map(Run::spawn).collect();
        let coordinator = coordinator.deadline(LONG).spawn();
        hold.held_count(workers.len() * SLOTS).await;
        let mut kept = Kept::default();
        kept.note(stage);
        Self {
            coordinator,
            workers,
            hold,
            kept,
        }
    }

    /// Waits until coordinator and workers have said it.
    pub(crate) async fn all_say(&mut self, words: &str) {
        says(&mut self.coordinator, words).await;
        for worker in &mut self.workers {
            says(worker, words).await;
        }
    }

    /// Lets the manifests through.
    pub(crate) fn go_on(&self) {
        self.hold.release();
    }

    /// Lets those manifests through that stand there, and holds later ones.
    pub(crate) async fn go_one_step(&mut self, stage: &Stage) {
        let later = stage.fake().hold(When::kind(Kind::ManifestPut));
        self.hold.release();
        held(stage, DONE + self.workers.len() * SLOTS).await;
        self.hold = later;
    }

    /// Waits until coordinator and workers have ended well and the mirror is complete, without a file that was done
    /// before having come again.
    pub(crate) async fn ends(self, cluster: &Cluster) -> Ended {
        let coordinator = self.coordinator.wait().await;
        coordinator.assert_code(0);
        let mut workers = Vec::new();
        for worker in self.workers {
            worker.term();
            let worker = worker.wait().await;
            workers.push(worker.assert_code(0).clone());
        }
        self.kept.assert_not_downloaded_since(&cluster.stage);
        cluster.assert_complete().await;
        Ended {
            coordinator,
            workers,
        }
    }
}

/// What the processes of a complete mirror said.
pub(crate) struct Ended {
    pub(crate) coordinator: Finished,
    pub(crate) workers: Vec<Finished>,
}

impl Ended {
    /// # Panics
    /// If one of them did not say once that it lost something, and once that this was back, or much beside.
    #[track_caller]
    pub(crate) fn assert_all_say_once(&self, said: [&str; 2]) {
        assert_says_once(&self.coordinator, said, 4);
        for worker in &self.workers {
            assert_says_once(worker, said, 2);
        }
    }
}

/// # Panics
/// If it did not say each once, or more than `most` things that people should look at.
#[track_caller]
pub(crate) fn assert_says_once(process: &Finished, said: [&str; 2], most: usize) {
    for words in said {
        assert_eq!(times(process, words), 1, "{words}: {}", process.to_text());
    }
    assert!(troubles(process) <= most, "{}", process.to_text());
}

/// In how many lines it said so.
pub(crate) fn times(process: &Finished, words: &str) -> usize {
    let lines = process.stderr.lines();
    lines.filter(|line| line.contains(words)).count()
}

/// Lines that are for people to look at, beside that it was asked to stop.
pub(crate) fn troubles(process: &Finished) -> usize {
    times(process, " WARN ") + times(process, "ERROR ") - times(process, " WARN stopping: ")
}

/// Waits until it said so.
pub(crate) async fn says(process: &mut Running, words: &str) {
    let said = |_: &str, stderr: &str| stderr.contains(words);
    process.until(&format!("to say `{words}`"), said).await;
}

/// Waits until so many files are held.
pub(crate) async fn held(stage: &Stage, count: usize) {
    let started = Instant::now();
    loop {
        let held = stage.held(&stage.view()).len();
        if held >= count {
            return;
        }
        assert!(started.elapsed() < LONG, "{held} of {count} files are held");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
