//! A Redis that goes away, comes back, or forgets.

use std::sync::Arc;
use std::time::Duration;

use mirror_kit::servers::{RedisCluster, RedisOptions as Launch, RedisServer};
use mirror_runtime::{Disposed, Disposition};

use super::{connect, server_with_ledger};
use crate::conformance::{LONG, claim, done, eventually, granted, settlement, texts};
use crate::error::LedgerError;
use crate::ledger::{Claims, Lease, LeaseGrant, Outcomes};
use crate::redis::{RedisConnection, RedisLedger, RedisOptions};
use crate::subdir_state::SubdirState;

fn append_only() -> Launch<'static> {
    Launch {
        append_only: true,
        ..Launch::default()
    }
}

#[tokio::test]
async fn requests_wait_for_a_redis_that_restarts_and_nothing_is_lost_where_it_keeps_a_file() {
    let mut server = RedisServer::launch_with(&append_only()).await.unwrap();
    let ledger = Arc::new(connect(&server.url()).await.ledger("r", "c"));
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(1));
    let id = ledger.pulse("linux-64").await.unwrap().id;
    server.stop();
    let waiting = {
        let ledger = Arc::clone(&ledger);
        let files = [("a-1-0.conda", done(1))];
        let settlement = settlement(5, &files);
        tokio::spawn(async move { ledger.settle(settlement).await })
    };
    let asked = Arc::clone(&ledger);
    let asking = tokio::spawn(async move { asked.pulse("linux-64").await });
    server.start().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(asking.await.unwrap().unwrap().id, id);
    let names = texts(&["a-1-0.conda"]);
    let found = ledger.get_many("linux-64", &names).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().outcome, done(1));
}

/// Scripts included. What was lost has another id; workers' renewals recreate their claims.
#[tokio::test]
async fn a_flush_in_the_middle_is_noticed_by_the_id_and_survived() {
    let (server, ledger) = server_with_ledger().await;
    assert_eq!(claim(&ledger, 5, "w", LONG).await, granted(1));
    let lease = ledger.acquire_lease("linux-64", "run", LONG).await;
    assert_eq!(lease.unwrap(), LeaseGrant::Granted);
    let state = SubdirState {
        floor: 4,
        ..SubdirState::default()
    };
    ledger.set_subdir_state("linux-64", &state).await.unwrap();
    let id = ledger.pulse("linux-64").await.unwrap().id;
    server.flush().unwrap();

    let other = ledger.pulse("linux-64").await.unwrap().id;
    assert_ne!(other, id);
    assert_eq!(ledger.pulse("linux-64").await.unwrap().id, other);
    assert_eq!(ledger.subdir_state("linux-64").await.unwrap(), None);
    assert!(!ledger.renew_lease("linux-64", "run", LONG).await.unwrap());
    assert!(
        ledger
            .renew("linux-64", "a-1-0", 5, "w", LONG)
            .await
            .unwrap()
    );
    let claimed = ledger.claimed("linux-64", &texts(&["a-1-0"])).await;
    assert_eq!(claimed.unwrap(), [true]);
}

#[tokio::test]
async fn scripts_that_the_server_lost_are_loaded_again() {
    let (server, ledger) = server_with_ledger().await;
    for plan in 5..8 {
        server.cli(&["SCRIPT", "FLUSH", "SYNC"]).unwrap();
        assert_eq!(claim(&ledger, plan, "w", LONG).await, granted(1));
        ledger
            .release("linux-64", "a-1-0", plan, "w", true)
            .await
            .unwrap();
    }
}

/// The answer of a granted claim may be lost with its connection.
#[tokio::test]
async fn a_claim_that_is_sent_twice_is_granted_once_and_counted_once() {
    let (server, ledger) = server_with_ledger().await;
    let names = ledger.names("linux-64");
    let call = || {
        crate::redis::scripts::CLAIM
            .on([names.one("build", "a-1-0"), names.of("control")])
            .arg(5)
            .arg("w")
            .arg(600_000)
            .arg("0123")
    };
    for _ in 0..2 {
        let answer: Vec<::redis::Value> = ledger.connection.ask("claim", call()).await.unwrap();
        assert_eq!(answer[1], ::redis::Value::Int(1), "{answer:?}");
    }
    let other = ledger
        .claim("linux-64", "a-1-0", 5, "w", LONG)
        .await
        .unwrap();
    assert!(matches!(other, crate::Claim::Busy { .. }), "{other:?}");
    assert!(server.cli(&["DBSIZE"]).is_ok());
}

#[tokio::test]
async fn patience_ends_in_an_error_that_may_pass() {
    let mut server = RedisServer::launch().await.unwrap();
    let options = RedisOptions {
        patience: Duration::from_millis(300),
        ..RedisOptions::new(server.url())
    };
    let connection = RedisConnection::connect(options).await.unwrap();
    let ledger: RedisLedger = connection.ledger("r", "c");
    server.stop();
    let error = ledger.begin_plan("linux-64").await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    let said = error.to_string();
    let port = server.addr().port().to_string();
    assert!(
        said.contains("begin plan") && said.contains(&port),
        "{said}"
    );
    assert!(
        matches!(error, LedgerError::RedisUnreachable { .. }),
        "{error:?}"
    );
    server.start().await.unwrap();
    eventually("the connection to be back", async || {
        ledger.begin_plan("linux-64").await.ok()
    })
    .await;
}

/// A server that reads its file back tells everybody to wait.
#[tokio::test]
async fn a_server_that_is_loading_is_waited_for() {
    let options = Launch {
        directives: &[
            ("key-load-delay", "2000"),
            ("loading-process-events-interval-bytes", "1024"),
        ],
        ..append_only()
    };
    let mut server = RedisServer::launch_with(&options).await.unwrap();
    let ledger = connect(&server.url()).await.ledger("r", "c");
    let names: Vec<_> = (0..300).map(|n| (format!("f{n}"), done(1))).collect();
    ledger.adopt("linux-64", 5, names).await.unwrap();
    server.stop();
    // Answers PING with LOADING at first.
    server.start_without_waiting().unwrap();
    let found = ledger
        .get_many("linux-64", &texts(&["f299"]))
        .await
        .unwrap();
    assert!(found[0].is_some());
}

/// Whichever node it is, and though the others go on.
#[tokio::test]
async fn nodes_of_a_cluster_may_restart_one_after_the_other() {
    let mut cluster = RedisCluster::launch().await.unwrap();
    let ledger = connect(&cluster.url()).await.ledger("r", "c");
    let subdirs = [
        "noarch",
        "linux-64",
        "linux-aarch64",
        "osx-64",
        "osx-arm64",
        "win-64",
    ];
    for node in 0..3 {
        let mut ids = Vec::new();
        for subdir in subdirs {
            ids.push(ledger.pulse(subdir).await.unwrap().id);
        }
        cluster.nodes()[node].stop();
        let (found, started) = tokio::join!(
            futures::future::join_all(subdirs.map(|subdir| ledger.pulse(subdir))),
            cluster.nodes()[node].start(),
        );
        started.unwrap();
        let found = found.into_iter().map(|pulse| pulse.unwrap().id);
        let found: Vec<_> = found.collect();
        // Each subdir is on one node: what that forgot has another id, the others are as they were.
        assert_eq!(found.len(), ids.len());
        assert_ne!(found, ids, "no subdir is on node {node}");
        let kept = found.iter().filter(|id| ids.contains(id)).count();
        assert!(kept > 0, "node {node} had all");
    }
}
