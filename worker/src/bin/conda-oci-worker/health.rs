//! What a worker says of itself: to orchestrators over HTTP, to `conda-oci status` by way of Redis.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use mirror_runtime::Shutdown;
use mirror_worker::Activity;
use tokio::net::TcpListener;

/// How a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It takes tasks.
    Working,
    /// It takes none, and why.
    Waiting(String),
    /// It was asked to stop.
    Stopping,
}

/// The condition of the worker, shared by all who set or show it.
#[derive(Debug)]
pub(crate) struct Health {
    condition: Mutex<Condition>,
    activity: Arc<Activity>,
}

impl Health {
    pub(crate) fn new(activity: Arc<Activity>) -> Self {
        Self {
            condition: Mutex::new(Condition::Waiting("starting".to_owned())),
            activity,
        }
    }

    pub(crate) fn set(&self, condition: Condition) {
        *self.condition.lock().expect("no panic under this lock") = condition;
    }

    pub(crate) fn condition(&self) -> Condition {
        let condition = self.condition.lock().expect("no panic under this lock");
        condition.clone()
    }

    /// The metrics in the text format of Prometheus.
    fn metrics(&self) -> String {
        let working = u8::from(self.condition() == Condition::Working);
        let activity = &self.activity;
        let mut text = String::new();
        for (name, kind, help, value) in [
            (
                "ready",
                "gauge",
                "Whether the worker takes tasks.",
                u64::from(working),
            ),
            (
                "files_in_flight",
                "gauge",
                "Files being transferred.",
                activity.in_flight(usize::MAX).len() as u64,
            ),
            (
                "downloaded_bytes_total",
                "counter",
                "Bytes downloaded, repeated ones counted again.",
                activity.downloaded(),
            ),
            (
                "files_done_total",
                "counter",
                "Files brought to a destination.",
                activity.done(),
            ),
            (
                "files_failed_total",
                "counter",
                "Files given up.",
                activity.failed(),
            ),
        ] {
            let name = format!("conda_oci_worker_{name}");
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            );
        }
        text
    }
}

/// Answers `/healthz`, `/readyz` and `/metrics` at `address` until `shutdown` is over.
///
/// # Errors
/// When nobody may listen there.
pub(crate) async fn serve(
    address: SocketAddr,
    health: Arc<Health>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address} (--listen)"))?;
    let router = Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health);
    tokio::spawn(async move {
        let ended = axum::serve(listener, router)
            .with_graceful_shutdown(async move { shutdown.requested().await });
        if let Err(error) = ended.await {
            tracing::error!(%error, "no longer answers at --listen");
        }
    });
    Ok(())
}

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    match health.condition() {
        Condition::Working => (StatusCode::OK, "ready\n".to_owned()),
        Condition::Waiting(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        Condition::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
    }
}

async fn metrics(State(health): State<Arc<Health>>) -> ([(&'static str, &'static str); 1], String) {
    let format = ("content-type", "text/plain; version=0.0.4; charset=utf-8");
    ([format], health.metrics())
}
