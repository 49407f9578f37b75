//! What all workloads share: the program, where their files are, how often they measure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use mirror_kit::servers::DockerRegistry;
use reqwest::Client;
use tempfile::TempDir;

use crate::measure::Process;
use crate::replay::Replay;

/// Transfers at once where nothing else is said: the program's own default.
pub(crate) const SLOTS: usize = 16;
/// The namespace that mirrors are given.
pub(crate) const NAMESPACE: &str = "bench";

/// The surroundings of a run.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The `conda-oci` to be measured.
    pub(crate) program: PathBuf,
    /// The `conda-oci-worker` to be measured.
    pub(crate) worker: PathBuf,
    /// Scaled down.
    pub(crate) quick: bool,
    /// For bare loops. It knows no time limit: whoever watches a benchmark can stop it.
    pub(crate) client: Client,
}

impl Bench {
    pub(crate) fn new(program: PathBuf, worker: PathBuf, quick: bool) -> Result<Self> {
        let client = Client::builder().no_proxy().pool_max_idle_per_host(1024);
        Ok(Self {
            program,
            worker,
            quick,
            client: client.build()?,
        })
    }

    /// `full`, or `quick` where everything is scaled down.
    pub(crate) fn scaled<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// How often each pair is measured.
    pub(crate) fn rounds(&self) -> usize {
        self.scaled(3, 1)
    }

    /// A new folder in memory, where the machine has a place for that.
    pub(crate) fn in_memory(&self) -> Result<TempDir> {
        let shared = Path::new("/dev/shm");
        let folder = match shared.is_dir() {
            true => tempfile::tempdir_in(shared),
            false => tempfile::tempdir(),
        };
        folder.context("make a folder for the benchmark")
    }

    /// A new home for the program: ledger and spool are on the machine's disk, as they are for users.
    pub(crate) fn home(&self) -> Result<TempDir> {
        tempfile::tempdir().context("make a home for the program")
    }

    /// `conda-oci mirror` of linux-64, to be measured.
    pub(crate) fn mirror(&self, home: &Path, channel: &str, registry: &str) -> Process {
        Process::new(&self.program, home)
            .args(["mirror", "--subdir", "linux-64", "--channel", channel])
            .args(["--registry", registry, "--state"])
            .args([home.join("state")])
    }

    /// What a mirror of `channel` pushes. `name` is the channel's name in the registry.
    pub(crate) async fn replay(&self, channel: &str, name: &str) -> Result<(Replay, TempDir)> {
        let (home, folder) = (self.home()?, self.in_memory()?);
        let registry = format!("oci:{}", folder.path().display());
        self.mirror(home.path(), channel, &registry).run().await?;
        let replay = Replay::read(folder.path(), &format!("{name}/linux-64"))?;
        Ok((replay, folder))
    }
}

/// Where the program mirrors to in this registry.
pub(crate) fn destination(registry: &DockerRegistry) -> String {
    format!("{}/{NAMESPACE}", registry.url())
}

/// So many a second.
pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Bytes in the unit of the targets.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
