//! The driver against real servers.
#![allow(clippy::unwrap_used)]

mod budget;
mod collisions;
mod differential;
mod memory;
mod outages;
mod parked;
mod refusals;
mod workers;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use mirror_kit::servers::{RedisCluster, RedisServer};

use super::{RedisConnection, RedisLedger, RedisOptions};
use crate::ledger::Ledger;

pub(super) async fn connect(url: &str) -> RedisConnection {
    RedisConnection::connect(RedisOptions::new(url))
        .await
        .unwrap()
}

pub(super) async fn server_with_ledger() -> (RedisServer, RedisLedger) {
    let server = RedisServer::launch().await.unwrap();
    let connection = connect(&server.url()).await;
    (server, connection.ledger("registry.test/mirror", "one"))
}

/// One server for the tests that run at the same time; each has a ledger of its own on it.
struct Shared<T>(tokio::sync::Mutex<Weak<T>>);

impl<T> Shared<T> {
    const fn new() -> Self {
        Self(tokio::sync::Mutex::const_new(Weak::new()))
    }

    async fn server(&self, launch: impl AsyncFnOnce() -> T) -> Arc<T> {
        let mut shared = self.0.lock().await;
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let launched = Arc::new(launch().await);
        *shared = Arc::downgrade(&launched);
        launched
    }
}

async fn ledger_of_its_own(url: &str) -> Arc<dyn Ledger> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let channel = format!("channel-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    Arc::new(connect(url).await.ledger("registry.test/mirror", &channel))
}

mod conformance {
    use super::*;

    static SERVER: Shared<RedisServer> = Shared::new();

    async fn fresh() -> (Arc<RedisServer>, Arc<dyn Ledger>) {
        let launch = async || RedisServer::launch().await.unwrap();
        let server = SERVER.server(launch).await;
        let ledger = ledger_of_its_own(&server.url()).await;
        (server, ledger)
    }

    crate::ledger_conformance!(fresh().await);
}

/// Across the nodes of a cluster, whose slots decide which keys may be touched together.
mod cluster {
    use super::*;

    static CLUSTER: Shared<RedisCluster> = Shared::new();

    async fn fresh() -> (Arc<RedisCluster>, Arc<dyn Ledger>) {
        let launch = async || RedisCluster::launch().await.unwrap();
        let cluster = CLUSTER.server(launch).await;
        let ledger = ledger_of_its_own(&cluster.url()).await;
        (cluster, ledger)
    }

    crate::ledger_conformance!(fresh().await);
}
