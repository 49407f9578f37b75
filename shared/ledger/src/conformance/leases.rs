//! The promises of [`Lease`](crate::Lease).
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use mirror_runtime::clock;

use super::{LONG, SHORT, eventually};
use crate::ledger::{LeaseGrant, Ledger};

async fn acquire(ledger: &dyn Ledger, owner: &str, ttl: Duration) -> LeaseGrant {
    let grant = ledger.acquire_lease("linux-64", owner, ttl).await;
    grant.unwrap()
}

async fn renew(ledger: &dyn Ledger, owner: &str, ttl: Duration) -> bool {
    let renewed = ledger.renew_lease("linux-64", owner, ttl).await;
    renewed.unwrap()
}

fn holder(grant: LeaseGrant) -> Option<String> {
    match grant {
        LeaseGrant::Granted => None,
        LeaseGrant::Held { owner, .. } => Some(owner),
    }
}

/// The second run can say who is in its way, and until when.
pub async fn a_held_lease_names_its_owner(ledger: Arc<dyn Ledger>) {
    let before = clock::now_ms();
    assert_eq!(acquire(&*ledger, "first", LONG).await, LeaseGrant::Granted);
    let LeaseGrant::Held { owner, expires_ms } = acquire(&*ledger, "second", LONG).await else {
        panic!("two runs have the lease");
    };
    assert_eq!(owner, "first");
    assert!(expires_ms > before + 300_000 && expires_ms < before + 3_600_000);
    // To the millisecond, whenever it is asked: one that ends later than it did has a living owner.
    for _ in 0..2000 {
        let again = LeaseGrant::Held {
            owner: "first".to_owned(),
            expires_ms,
        };
        assert_eq!(acquire(&*ledger, "second", LONG).await, again);
    }
    assert!(!renew(&*ledger, "second", LONG).await);
}

/// Whoever looks takes nothing.
pub async fn the_holder_of_a_lease_can_be_looked_up(ledger: Arc<dyn Ledger>) {
    let look = async || ledger.lease_holder("linux-64").await.unwrap();
    assert_eq!(look().await, None);
    let before = clock::now_ms();
    acquire(&*ledger, "first", LONG).await;
    let holder = look().await.expect("it is held");
    assert_eq!(holder.owner, "first");
    assert!(holder.expires_ms > before + 300_000 && holder.expires_ms < before + 3_600_000);
    assert_eq!(ledger.lease_holder("noarch").await.unwrap(), None);
    ledger.release_lease("linux-64", "first").await.unwrap();
    assert_eq!(look().await, None);
    acquire(&*ledger, "second", SHORT).await;
    eventually("the lease to end", async || {
        look().await.is_none().then_some(())
    })
    .await;
}

/// A run whose answer was lost asks again.
pub async fn the_owner_may_take_its_lease_again(ledger: Arc<dyn Ledger>) {
    assert_eq!(acquire(&*ledger, "first", LONG).await, LeaseGrant::Granted);
    assert_eq!(acquire(&*ledger, "first", LONG).await, LeaseGrant::Granted);
    let other = acquire(&*ledger, "second", LONG).await;
    assert_eq!(holder(other).as_deref(), Some("first"));
}

/// A dead run is waited out; one that wakes up late learns that it has lost.
pub async fn an_ended_lease_can_be_taken_but_not_renewed(ledger: Arc<dyn Ledger>) {
    assert_eq!(acquire(&*ledger, "first", SHORT).await, LeaseGrant::Granted);
    eventually("the lease to end", async || {
        let grant = acquire(&*ledger, "second", SHORT).await;
        (grant == LeaseGrant::Granted).then_some(())
    })
    .await;
    eventually("the second lease to end", async || {
        (!renew(&*ledger, "second", SHORT).await).then_some(())
    })
    .await;
    assert!(!renew(&*ledger, "first", LONG).await);
}

/// Once renewed, the first time to live means nothing.
pub async fn a_renewed_lease_lives_on(ledger: Arc<dyn Ledger>) {
    let five_seconds = Duration::from_secs(5);
    let grant = acquire(&*ledger, "first", five_seconds).await;
    assert_eq!(grant, LeaseGrant::Granted);
    assert!(renew(&*ledger, "first", LONG).await);
    let LeaseGrant::Held { expires_ms, .. } = acquire(&*ledger, "second", LONG).await else {
        panic!("the renewed lease has ended");
    };
    assert!(expires_ms > clock::now_ms() + 300_000);
}

/// The next run need not wait.
pub async fn a_lease_given_up_is_free(ledger: Arc<dyn Ledger>) {
    acquire(&*ledger, "first", LONG).await;
    ledger.release_lease("linux-64", "first").await.unwrap();
    assert!(!renew(&*ledger, "first", LONG).await);
    assert_eq!(acquire(&*ledger, "second", LONG).await, LeaseGrant::Granted);
}

/// A late run does not free the lease of the next.
pub async fn only_the_owner_gives_a_lease_up(ledger: Arc<dyn Ledger>) {
    acquire(&*ledger, "first", LONG).await;
    ledger.release_lease("linux-64", "second").await.unwrap();
    let grant = acquire(&*ledger, "second", LONG).await;
    assert_eq!(holder(grant).as_deref(), Some("first"));
}

/// Runs on different subdirs do not meet.
pub async fn each_subdir_has_its_own_lease(ledger: Arc<dyn Ledger>) {
    acquire(&*ledger, "first", LONG).await;
    let other = ledger.acquire_lease("noarch", "second", LONG).await;
    assert_eq!(other.unwrap(), LeaseGrant::Granted);
}

/// Taking the lease is atomic.
pub async fn one_of_many_runs_at_once_gets_the_lease(ledger: Arc<dyn Ledger>) {
    let mut runs = tokio::task::JoinSet::new();
    for n in 0..32 {
        let ledger = Arc::clone(&ledger);
        runs.spawn(async move { acquire(&*ledger, &format!("run{n}"), LONG).await });
    }
    let grants = runs.join_all().await;
    let granted = grants.iter().filter(|g| **g == LeaseGrant::Granted);
    assert_eq!(granted.count(), 1);
}
