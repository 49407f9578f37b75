//! The list of workers.

use std::time::Duration;

use super::{connect, server_with_ledger};
use crate::conformance::eventually;

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn who_announces_is_listed_and_who_stops_is_not() {
    let (server, _ledger) = server_with_ledger().await;
    let workers = connect(&server.url()).await.workers();
    workers.announce("a", "idle", LONG).await.unwrap();
    workers
        .announce("gone", "", Duration::from_millis(1))
        .await
        .unwrap();
    workers.announce("b", "idle", LONG * 2).await.unwrap();
    workers.announce("b", "2 of 16", LONG * 2).await.unwrap();
    let other = connect(&server.url()).await.workers();
    let (listed, count) = eventually("the silent one to be gone", async || {
        let live = other.live(10).await.unwrap();
        (live.1 == 2).then_some(live)
    })
    .await;
    let listed: Vec<_> = listed
        .iter()
        .map(|worker| (worker.name.as_str(), worker.what.as_str()))
        .collect();
    assert_eq!(
        (listed.as_slice(), count),
        (&[("b", "2 of 16"), ("a", "idle")][..], 2)
    );
    // Bounded, and it says how many there are.
    let (listed, count) = other.live(1).await.unwrap();
    assert_eq!((listed.len(), count), (1, 2));
    // What is gone takes no room.
    workers.announce("a", "idle", LONG).await.unwrap();
    assert_eq!(
        server.cli(&["HLEN", "conda-oci:{workers}:what"]).unwrap(),
        "2"
    );
}
