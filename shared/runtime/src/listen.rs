//! What a process answers over HTTP to orchestrators: `/healthz` (it lives), `/readyz` (it takes work, or why not) and
//! `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::Shutdown;
use crate::telemetry::Export;

/// Nobody may listen there.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address} (--listen): {cause}")]
pub struct ListenError {
    address: SocketAddr,
    cause: std::io::Error,
}

/// Answers at `address` until `shutdown` is over. `ready`: why the process takes no work, if it takes none.
///
/// # Errors
/// When nobody may listen there.
pub async fn serve(
    address: SocketAddr,
    ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    export: Arc<Export>,
    shutdown: Shutdown,
) -> Result<(), ListenError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|cause| ListenError { address, cause })?;
    let ready = Arc::new(ready);
    let router = Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route(
            "/readyz",
            get(async move || match ready() {
                Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            }),
        )
        .route(
            "/metrics",
            get(async move || {
                let format = ("content-type", "text/plain; version=0.0.4; charset=utf-8");
                ([format], export.scrape().unwrap_or_default())
            }),
        );
    tokio::spawn(async move {
        let ended = axum::serve(listener, router)
            .with_graceful_shutdown(async move { shutdown.requested().await });
        if let Err(error) = ended.await {
            tracing::error!(%error, "no longer answers at --listen");
        }
    });
    Ok(())
}
