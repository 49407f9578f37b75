//! The budgets of hosts over several clients. Nothing here depends on how fast the machine is: rates are
//! looked at from above only.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use mirror_kit::servers::RedisServer;
use mirror_runtime::host_budget::Rates;
use mirror_runtime::{HostBudget, RequestKind};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connect;
use crate::conformance::eventually;
use crate::redis::RedisHostBudget;

/// Twenty a second.
const RATE: u32 = 1_200;
const BURST: u32 = RATE / 60;
const CLIENTS: u32 = 4;

async fn client(server: &RedisServer, name: &str) -> Arc<RedisHostBudget> {
    let writes = NonZeroU32::new(RATE);
    let rates = Rates {
        writes,
        reads: None,
    };
    let rates = HashMap::from([("h".to_owned(), rates)]);
    Arc::new(connect(&server.url()).await.host_budget(name, rates))
}

/// Clients that ask as fast as they can, eight requests at a time each, and how many were admitted.
struct Crowd {
    admitted: Arc<AtomicU32>,
    _asking: JoinSet<()>,
}

impl Crowd {
    fn of(clients: &[Arc<RedisHostBudget>]) -> Self {
        let admitted = Arc::new(AtomicU32::new(0));
        let mut asking = JoinSet::new();
        for client in clients {
            for _ in 0..8 {
                let (client, admitted) = (Arc::clone(client), Arc::clone(&admitted));
                asking.spawn(async move {
                    loop {
                        client.admit("h", RequestKind::Write).await;
                        admitted.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        }
        Self {
            admitted,
            _asking: asking,
        }
    }

    fn count(&self) -> u32 {
        self.admitted.load(Ordering::SeqCst)
    }

    async fn until(&self, count: u32) {
        eventually("requests to be admitted", async || {
            (self.count() >= count).then_some(())
        })
        .await;
    }
}

/// What may have been admitted since, with `extra` beside the rate.
fn allowed(since: Instant, extra: u32) -> u32 {
    let rate = f64::from(RATE) / 60.0;
    let brought = since.elapsed().as_secs_f64() * rate;
    // A float of that size is a whole number of u32.
    brought.ceil() as u32 + extra
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_together_keep_the_rate_also_while_redis_is_away_and_after_it_came_back() {
    let mut server = RedisServer::launch().await.unwrap();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(client(&server, &format!("w{number}")).await);
    }
    let started = Instant::now();
    // All of them are known to each other before Redis goes away.
    for _ in 0..2 {
        for client in &clients {
            client.admit("h", RequestKind::Write).await;
        }
    }
    let crowd = Crowd::of(&clients);
    let before = 2 * CLIENTS;
    crowd.until(40).await;
    // One second's worth for the bucket.
    let count = before + crowd.count();
    assert!(
        count <= allowed(started, BURST),
        "{count} in {:?}",
        started.elapsed()
    );

    server.stop();
    let count = crowd.count();
    crowd.until(count + 40).await;
    // And one for the shares of all.
    let count = before + crowd.count();
    assert!(
        count <= allowed(started, 2 * BURST),
        "{count} in {:?}",
        started.elapsed()
    );

    server.start().await.unwrap();
    let count = crowd.count();
    eventually("clients to ask Redis again", async || {
        (server
            .cli(&["ZCARD", "conda-oci:{budget|h}:workers"])
            .unwrap()
            == "4")
            .then_some(())
    })
    .await;
    crowd.until(count + 40).await;
    let count = before + crowd.count();
    assert!(
        count <= allowed(started, 3 * BURST),
        "{count} in {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn requests_that_wait_together_are_admitted_in_one_round_trip() {
    let server = RedisServer::launch().await.unwrap();
    let one = client(&server, "w").await;
    one.admit("h", RequestKind::Write).await;
    let calls = || server.cli(&["INFO", "commandstats"]).unwrap();
    let evaluated = |stats: &str| {
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split_once(','));
        line.unwrap().0.parse::<u32>().unwrap()
    };
    // Long enough for a second's worth to be there.
    let waited = Instant::now();
    eventually("the bucket to fill", async || {
        (waited.elapsed() > Duration::from_millis(1_500)).then_some(())
    })
    .await;
    let before = evaluated(&calls());
    let admitted = (0..BURST).map(|_| one.admit("h", RequestKind::Write));
    futures::future::join_all(admitted).await;
    let asked = evaluated(&calls()) - before;
    assert!(asked <= 4, "{asked} round trips for {BURST} requests");
}

#[tokio::test]
async fn hosts_without_a_rate_cost_next_to_nothing() {
    let server = RedisServer::launch().await.unwrap();
    let one = client(&server, "w").await;
    for _ in 0..10_000 {
        one.admit("h", RequestKind::Read).await;
        one.admit("elsewhere", RequestKind::Write).await;
    }
    let stats = server.cli(&["INFO", "commandstats"]).unwrap();
    let line = stats.lines().find(|line| line.contains("cmdstat_evalsha"));
    let calls = line.unwrap().split(['=', ',']).nth(1).unwrap();
    // Two a second, however slow this machine is.
    assert!(calls.parse::<u32>().unwrap() < 400, "{stats}");
}

#[tokio::test]
async fn what_one_client_parks_is_parked_for_all() {
    let server = RedisServer::launch().await.unwrap();
    let (one, two) = (client(&server, "a").await, client(&server, "b").await);
    two.admit("h", RequestKind::Write).await;
    let until = SystemTime::now() + Duration::from_secs(600);
    one.park("h", until, "429").await;
    one.park("h", SystemTime::now(), "an earlier time changes nothing")
        .await;
    let told = eventually("the other client to hear of it", async || {
        two.parked_until("h").await
    })
    .await;
    let off = told
        .duration_since(until)
        .unwrap_or_else(|error| error.duration());
    assert!(
        off < Duration::from_secs(60),
        "{told:?} instead of {until:?}"
    );
    assert_eq!(two.parked_until("other").await, None);
    // Neither with a rate nor without one.
    for kind in [RequestKind::Write, RequestKind::Read] {
        let admitted = tokio::time::timeout(Duration::from_millis(200), two.admit("h", kind));
        assert!(admitted.await.is_err(), "a {kind:?} went to a parked host");
    }
}

#[tokio::test]
async fn a_short_parking_ends_for_all() {
    let server = RedisServer::launch().await.unwrap();
    let (one, two) = (client(&server, "a").await, client(&server, "b").await);
    let until = SystemTime::now() + Duration::from_millis(300);
    one.park("h", until, "429").await;
    two.admit("h", RequestKind::Write).await;
    two.admit("h", RequestKind::Read).await;
    assert!(SystemTime::now() >= until - Duration::from_millis(50));
    assert_eq!(one.parked_until("h").await, None);
}

/// A build's other requests fail at once when the host is parked here, and take this one with them.
#[tokio::test]
async fn a_parking_is_told_to_all_though_who_met_it_is_given_up_meanwhile() {
    let server = RedisServer::launch().await.unwrap();
    let (one, two) = (client(&server, "a").await, client(&server, "b").await);
    let until = SystemTime::now() + Duration::from_secs(600);
    let mut parking = one.park("h", until, "429");
    assert!(futures::poll!(&mut parking).is_pending());
    drop(parking);
    eventually("the other client to hear of it", async || {
        two.parked_until("h").await
    })
    .await;
}
