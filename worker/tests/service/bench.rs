//! A worker with everything around it, in one folder.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mirror_channel::source::{FetchOptions, Fetcher};
use mirror_kit::fake_registry::FakeRegistry;
use mirror_kit::package::{MadePackage, PackageSpec};
use mirror_ledger::{Claim, Claims as _, Failure, FileOutcome, Outcomes as _, RedbLedger};
use mirror_oci::folder::Folder;
use mirror_oci::manifest::Manifest;
use mirror_oci::registry::{Address, Registry, RegistryOptions, Trust};
use mirror_oci::{Destination, layout};
use mirror_queue::{Action, BuildName, Depth, MemoryQueue, Task, TaskFile, TaskQueue};
use mirror_runtime::{MemoryHostBudget, Shutdown};
use mirror_worker::extract::InfoLimits;
use mirror_worker::source::{MirrorLogins, Sources};
use mirror_worker::spool::Spool;
use mirror_worker::{
    Activity, Context, Memory, Mirrors, OneMirror, Options, Target, Worker, WorkerError,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use url::Url;

pub(crate) const SUBDIR: &str = "linux-64";
pub(crate) const PLAN: u64 = 5;
/// Longer than any test should take.
const DEADLINE: Duration = Duration::from_secs(60);

/// The channel is the folder `channel`, the destination is `mirror` unless a registry is given.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) queue: Arc<MemoryQueue>,
    /// What stands between the queue and workers, if anything does.
    pub(crate) through: Option<Arc<dyn TaskQueue>>,
    /// Where tasks go, if not to the one mirror.
    pub(crate) mirrors: Option<Arc<dyn Mirrors>>,
    /// Whether others do tasks of the queue too.
    pub(crate) beside_others: bool,
    /// Tasks at once.
    pub(crate) slots: usize,
    pub(crate) ledger: Arc<RedbLedger>,
    pub(crate) destination: Arc<Destination>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) source: Url,
    workers: AtomicUsize,
    spool: AtomicU64,
}

impl Bench {
    pub(crate) fn with_folder() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("mirror")).unwrap();
        Self::new(dir, Destination::Folder(folder))
    }

    pub(crate) fn with_registry(fake: &FakeRegistry) -> Self {
        let Address::Registry(address) = fake.url().parse().unwrap() else {
            panic!("a URL is the address of a registry");
        };
        let registry = Registry::new(
            &address,
            RegistryOptions::default(),
            Arc::<MemoryHostBudget>::default(),
        )
        .unwrap();
        let dir = tempfile::tempdir().unwrap();
        Self::new(dir, Destination::Registry(Box::new(registry)))
    }

    fn new(dir: TempDir, destination: Destination) -> Self {
        let subdir = dir.path().join("channel").join(SUBDIR);
        std::fs::create_dir_all(&subdir).unwrap();
        Self {
            queue: Arc::new(MemoryQueue::new(NonZeroUsize::new(100).unwrap())),
            through: None,
            mirrors: None,
            beside_others: false,
            slots: 1,
            ledger: Arc::new(RedbLedger::open(dir.path().join("ledger.redb"), "test").unwrap()),
            destination: Arc::new(destination),
            activity: Arc::default(),
            source: Url::from_directory_path(&subdir).unwrap(),
            workers: AtomicUsize::new(0),
            spool: AtomicU64::new(1 << 30),
            dir,
        }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join("channel").join(SUBDIR).join(file)
    }

    /// Makes a package in the channel.
    pub(crate) fn make(&self, spec: &PackageSpec) -> MadePackage {
        spec.write(&self.dir.path().join("channel").join(SUBDIR))
            .unwrap()
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory {
            outcomes: Arc::<RedbLedger>::clone(&self.ledger),
            claims: Arc::<RedbLedger>::clone(&self.ledger),
        }
    }

    fn one_mirror(&self) -> OneMirror {
        let target = Target {
            destination: Arc::clone(&self.destination),
            namespace: "ns".to_owned(),
        };
        OneMirror::new(target, self.memory())
    }

    fn worker(&self, attempts: u32) -> Worker {
        let number = self.workers.fetch_add(1, Ordering::Relaxed);
        let name = format!("worker-{number}");
        let budget = Arc::<MemoryHostBudget>::default();
        let queue: Arc<dyn TaskQueue> = Arc::<MemoryQueue>::clone(&self.queue);
        Worker::new(Context {
            queue: self.through.clone().unwrap_or(queue),
            mirrors: self
                .mirrors
                .clone()
                .unwrap_or_else(|| Arc::new(self.one_mirror())),
            sources: {
                let shared = Arc::<MemoryHostBudget>::clone(&budget);
                let fetcher = Fetcher::new(FetchOptions::default(), shared);
                let (logins, trust) = (MirrorLogins::default(), Trust::default());
                Arc::new(Sources::new(Arc::new(fetcher), logins, trust, budget))
            },
            spool: Spool::open(
                self.dir.path().join(&name),
                self.spool.load(Ordering::Relaxed),
            )
            .unwrap(),
            limits: InfoLimits::default(),
            activity: Arc::clone(&self.activity),
            attempts,
            name,
        })
    }

    /// Starts a worker, with one slot if nothing else was said.
    pub(crate) fn start(&self, attempts: u32, grace: Duration) -> Running {
        let shutdown = Shutdown::new();
        let options = Options {
            slots: self.slots,
            grace,
            stands_alone: !self.beside_others,
        };
        let worker = self.worker(attempts);
        Running {
            ended: tokio::spawn(worker.run(options, shutdown.child())),
            shutdown,
        }
    }

    pub(crate) async fn depth(&self) -> Depth {
        self.queue.depth().await.unwrap()
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < DEADLINE, "waited in vain");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until the queue is as wanted.
    pub(crate) async fn until_depth(&self, wanted: impl Fn(Depth) -> bool) {
        let start = Instant::now();
        while !wanted(self.depth().await) {
            assert!(start.elapsed() < DEADLINE, "{:?}", self.depth().await);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until a file is done.
    pub(crate) async fn until_done(&self, file: &MadePackage) {
        let start = Instant::now();
        while !self.is_done(file).await {
            assert!(start.elapsed() < DEADLINE, "{} is not done", file.file_name);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets a worker work until the queue is as wanted, then stops it.
    pub(crate) async fn work_until(
        &self,
        attempts: u32,
        wanted: impl Fn(Depth) -> bool,
    ) -> Result<(), WorkerError> {
        let running = self.start(attempts, DEADLINE);
        let start = Instant::now();
        loop {
            let depth = self.depth().await;
            if running.ended.is_finished() || wanted(depth) {
                break;
            }
            assert!(start.elapsed() < DEADLINE, "the queue stays at {depth:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        running.stop().await
    }

    /// Lets a worker work until no task is left.
    pub(crate) async fn work_off(&self, attempts: u32) {
        self.work_until(attempts, |depth| depth.total() == 0)
            .await
            .unwrap();
    }

    /// The same with one try a build and so many bytes of spool.
    pub(crate) async fn work_off_with_spool(&self, bytes: u64) {
        self.spool.store(bytes, Ordering::Relaxed);
        self.work_off(1).await;
    }

    /// Puts a task for these files of one build into the queue.
    pub(crate) async fn publish(&self, plan: u64, files: &[&MadePackage]) -> Task {
        let task = self.task(plan, files);
        self.queue.publish(task.clone()).await.unwrap();
        task
    }

    pub(crate) fn task(&self, plan: u64, files: &[&MadePackage]) -> Task {
        let text = |key: &str| files[0].record[key].as_str().unwrap().to_owned();
        Task {
            registry: "somewhere".to_owned(),
            channel: "chan".to_owned(),
            subdir: SUBDIR.to_owned(),
            package: BuildName {
                name: text("name"),
                version: text("version"),
                build: text("build"),
            },
            plan,
            probe: false,
            attempt: 1,
            passed_on: 0,
            overtaken: None,
            allow_unverified: false,
            renew: false,
            annotations: std::collections::BTreeMap::new(),
            source: self.source.clone(),
            files: files.iter().copied().map(file).collect(),
        }
    }

    pub(crate) async fn outcome(&self, file: &MadePackage) -> Option<FileOutcome> {
        let names = [file.file_name.clone()];
        let mut recorded = self.ledger.get_many(SUBDIR, &names).await.unwrap();
        recorded.remove(0).map(|recorded| recorded.outcome)
    }

    pub(crate) async fn is_done(&self, file: &MadePackage) -> bool {
        matches!(
            self.outcome(file).await,
            Some(FileOutcome::Done { sha256, size, .. })
                if hex::encode(sha256) == file.sha256 && size == file.size
        )
    }

    pub(crate) async fn failure(&self, file: &MadePackage) -> Failure {
        match self.outcome(file).await {
            Some(FileOutcome::Failed(failure)) => failure,
            other => panic!("{} came to {other:?}", file.file_name),
        }
    }

    /// The manifest at the tag of a file's build.
    pub(crate) async fn manifest(&self, file: &MadePackage) -> Option<Manifest> {
        let text = |key: &str| file.record[key].as_str().unwrap();
        let repository = format!("ns/chan/{SUBDIR}/{}", text("name"));
        let tag = format!("{}-{}", text("version"), text("build"));
        let stored = self
            .destination
            .manifest(&repository, &tag)
            .await
            .unwrap()?;
        Some(Manifest::from_bytes(&stored.bytes).unwrap())
    }

    /// Whether the destination names this very file.
    pub(crate) async fn holds(&self, file: &MadePackage) -> bool {
        let archive = file.file_name.parse::<mirror_channel::name::FileName>();
        let media_type = layout::package_media_type(archive.unwrap().archive());
        self.manifest(file).await.is_some_and(|manifest| {
            let layer = manifest.layer(media_type);
            layer.is_some_and(|layer| layer.digest.hex() == file.sha256)
        })
    }

    pub(crate) async fn claim(&self, task: &Task, plan: u64, ttl: Duration) -> Claim {
        self.ledger
            .claim(SUBDIR, &task.stem(), plan, "another", ttl)
            .await
            .unwrap()
    }
}

/// A worker that runs.
pub(crate) struct Running {
    pub(crate) shutdown: Shutdown,
    pub(crate) ended: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    pub(crate) async fn stop(self) -> Result<(), WorkerError> {
        self.shutdown.request();
        self.ended.await.unwrap()
    }
}

pub(crate) fn file(made: &MadePackage) -> TaskFile {
    let mut sha256 = [0; 32];
    hex::decode_to_slice(&made.sha256, &mut sha256).unwrap();
    TaskFile {
        file: made.file_name.clone(),
        action: Action::Transfer,
        sha256: Some(sha256),
        md5: None,
        size: Some(made.size),
        known_sha256: None,
    }
}
