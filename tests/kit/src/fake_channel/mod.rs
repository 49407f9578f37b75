//! A channel server on a free port of 127.0.0.1 that keeps a log of its requests and fails when told to.
//!
//! It serves a channel folder as a CDN would: files from disk in chunks (never a whole one in memory), `ETag`,
//! `Last-Modified` and 304s, and no `Range` (every answer is whole). [`FakeChannel::fault`] scripts what goes wrong:
//! for which path, at which request. Nothing in it waits by the clock, except the latency that a benchmark asks for;
//! a held download stays held until [`FakeChannel::release`] or the end of the server.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use mirror_kit::fake_channel::{FakeChannel, Fault, Times};
//!
//! let server = FakeChannel::start("some/channel").await?;
//! server.fault("zlib-1.3.1-h0_1.conda", Fault::Stall { after: 1000 }, Times::First(1));
//! // … start a mirror of `server.url()`
//! server.held().await; // a download has had its 1000 bytes and waits for more
//! // … kill the mirror
//! server.release();
//! assert_eq!(server.count(|request| request.path.ends_with(".conda")), 1);
//! # Ok(()) }
//! ```

mod answer;
mod body;
mod fault;
mod gate;
mod request;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use anyhow::Context;
use axum::{Router, routing::any, serve::ListenerExt};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use fault::{Fault, Times};
pub use request::Request;

use fault::Script;
use gate::Gate;
use request::Log;

/// A running server. Dropping it closes the port, ends held downloads with a broken connection, and lets answers that
/// are under way finish.
#[derive(Debug)]
pub struct FakeChannel {
    address: SocketAddr,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// What the server and its answers have in common.
#[derive(Debug)]
struct Shared {
    /// The channel's path on the server, without slashes at its ends.
    mount: String,
    dir: Mutex<PathBuf>,
    latency: Mutex<Duration>,
    script: Script,
    log: Log,
    gate: Gate,
}

impl FakeChannel {
    /// Serves the folder under its own name: `http://127.0.0.1:<port>/<name>`.
    pub async fn start(dir: impl AsRef<Path>) -> anyhow::Result<Self> {
        let name = dir
            .as_ref()
            .file_name()
            .context("a channel folder has a name")?
            .to_string_lossy()
            .into_owned();
        Self::start_at(dir, &name).await
    }

    /// Serves the folder under this path of the server, `conda-forge/label/main` say.
    pub async fn start_at(dir: impl AsRef<Path>, mount: &str) -> anyhow::Result<Self> {
        let shutdown = CancellationToken::new();
        let shared = Arc::new(Shared {
            mount: mount.trim_matches('/').to_owned(),
            dir: Mutex::new(dir.as_ref().to_owned()),
            latency: Mutex::new(Duration::ZERO),
            script: Script::default(),
            log: Log::default(),
            gate: Gate::new(shutdown.clone()),
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("listen on a free port of 127.0.0.1")?;
        let address = listener.local_addr().context("ask for the port")?;
        // Small answers must not wait for the client's delayed acknowledgement.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let router = Router::new()
            .route("/{*path}", any(answer::answer))
            .with_state(shared.clone());
        let end = shutdown.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router)
                .with_graceful_shutdown(end)
                .await
            {
                tracing::error!(%error, "the fake channel stopped");
            }
        });
        Ok(Self {
            address,
            shared,
            shutdown,
            task: Some(task),
        })
    }

    /// The channel's URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("{}/{}", self.base(), self.shared.mount)
    }

    /// The server's URL: `http://127.0.0.1:<port>`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of a file of the channel.
    pub fn url_of(&self, path: &str) -> String {
        format!("{}/{path}", self.url())
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.snapshot()
    }

    /// How many requests so far are such.
    pub fn count(&self, such: impl Fn(&Request) -> bool) -> usize {
        self.requests()
            .iter()
            .filter(|request| such(request))
            .count()
    }

    /// Empties the log.
    pub fn forget_requests(&self) {
        self.shared.log.clear();
    }

    /// From now on, GET requests of paths that end with `path_suffix` (all, if it is empty) fail like this. `times`
    /// counts these requests from now. Of several rules for one request the oldest decides; delays add up.
    pub fn fault(&self, path_suffix: &str, fault: Fault, times: Times) {
        self.shared.script.add(path_suffix, fault, times);
    }

    /// Forgets every rule; answers under way keep theirs.
    pub fn heal(&self) {
        self.shared.script.clear();
    }

    /// How long every answer waits before it starts: a stand-in for distance, for benchmarks.
    pub fn latency(&self, latency: Duration) {
        *lock(&self.shared.latency) = latency;
    }

    /// Resolves when one more request has reached its [`Fault::Stall`]: each held request is reported once, also one
    /// that stalled before the call.
    pub async fn held(&self) {
        self.shared.gate.held().await;
    }

    /// Lets the requests go on that are held now. One that stalls later is held anew.
    pub fn release(&self) {
        self.shared.gate.release();
    }

    /// Serves another folder under the same URL; answers under way go on from the old one.
    pub fn swap_dir(&self, dir: impl AsRef<Path>) {
        *lock(&self.shared.dir) = dir.as_ref().to_owned();
    }

    /// Ends the server and waits until its port is closed and its answers are done.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        if let Some(task) = self.task.take() {
            // A panic of the server is a bug that has already been printed; the port is closed either way.
            drop(task.await);
        }
    }
}

impl Drop for FakeChannel {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

#[cfg(test)]
mod tests;
