//! The promises of [`Claims`](crate::Claims).
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use mirror_runtime::clock;

use super::{
    LONG, SHORT, claim, claim_expired, done, eventually, granted, granted_after_interruption,
    settlement, texts,
};
use crate::ledger::{Claim, Ledger, Settled, Settlement};

async fn release(ledger: &dyn Ledger, plan: u64, worker: &str, counted: bool) {
    let released = ledger.release("linux-64", "a-1-0", plan, worker, counted);
    released.await.unwrap();
}

async fn renew(ledger: &dyn Ledger, plan: u64, worker: &str) -> bool {
    let renewed = ledger.renew("linux-64", "a-1-0", plan, worker, LONG);
    renewed.await.unwrap()
}

async fn is_claimed(ledger: &dyn Ledger) -> bool {
    let stems = texts(&["a-1-0"]);
    ledger.claimed("linux-64", &stems).await.unwrap() == [true]
}

/// Crashes count because the claim does; a new plan has all its attempts.
pub async fn attempts_are_counted_at_the_claim_and_by_plan(ledger: Arc<dyn Ledger>) {
    for attempt in 1..=3 {
        assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(attempt));
        release(&*ledger, 5, "w", true).await;
    }
    assert_eq!(claim(&*ledger, 6, "w", LONG).await, granted(1));
    release(&*ledger, 6, "w", true).await;
    assert_eq!(claim(&*ledger, 6, "w", LONG).await, granted(2));
}

/// Also the worker itself: its earlier claim may be another task of its own.
pub async fn a_live_claim_keeps_everybody_out(ledger: Arc<dyn Ledger>) {
    let before = clock::now_ms();
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(1));
    for (plan, asks) in [(5, "x"), (5, "w"), (6, "x")] {
        let Claim::Busy { worker, expires_ms } = claim(&*ledger, plan, asks, LONG).await else {
            panic!("{asks} got the build");
        };
        assert_eq!(worker, "w");
        // The ledger's clock may be another machine's: only the size is looked at.
        assert!(expires_ms > before + 300_000 && expires_ms < before + 3_600_000);
    }
    release(&*ledger, 5, "w", true).await;
    assert_eq!(claim(&*ledger, 5, "x", LONG).await, granted(2));
}

/// A worker that died may have written anything.
pub async fn an_expired_claim_is_granted_again_and_marked(ledger: Arc<dyn Ledger>) {
    assert_eq!(claim(&*ledger, 5, "w", SHORT).await, granted(1));
    let again = claim_expired(&*ledger, 5, "x").await;
    assert_eq!(again, granted_after_interruption(2));
}

/// Orderly releases and later plans do not make the state known.
pub async fn the_mark_of_an_interruption_stays_until_the_build_is_finished(
    ledger: Arc<dyn Ledger>,
) {
    claim(&*ledger, 5, "w", SHORT).await;
    claim_expired(&*ledger, 5, "x").await;
    release(&*ledger, 5, "x", false).await;
    let later = claim(&*ledger, 6, "w", LONG).await;
    assert_eq!(later, granted_after_interruption(1));
    let files = [("a-1-0.conda", done(1))];
    ledger.settle(settlement(6, &files)).await.unwrap();
    assert_eq!(claim(&*ledger, 6, "w", LONG).await, granted(1));
}

/// Throttled and cancelled work costs nothing.
pub async fn an_uncounted_release_gives_the_attempt_back(ledger: Arc<dyn Ledger>) {
    for _ in 0..3 {
        assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(1));
        release(&*ledger, 5, "w", false).await;
    }
    claim(&*ledger, 5, "w", LONG).await;
    release(&*ledger, 5, "w", true).await;
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(2));
    release(&*ledger, 5, "w", false).await;
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(2));
}

/// A late worker does not end the claim of the one after it.
pub async fn a_release_by_another_changes_nothing(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 5, "w", LONG).await;
    release(&*ledger, 5, "x", false).await;
    release(&*ledger, 4, "w", false).await;
    assert!(is_claimed(&*ledger).await);
    release(&*ledger, 5, "w", true).await;
    release(&*ledger, 5, "w", false).await;
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(2));
}

/// A task of an old plan is stale once a new one was begun on.
pub async fn a_claim_below_the_plan_of_another_is_superseded(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 6, "w", LONG).await;
    let stale = Claim::Superseded { plan: 6 };
    assert_eq!(claim(&*ledger, 5, "x", LONG).await, stale);
    release(&*ledger, 6, "w", true).await;
    assert_eq!(claim(&*ledger, 5, "x", LONG).await, stale);
}

/// Claim and attempts go with the last outcome.
pub async fn finishing_a_build_forgets_its_attempts(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 5, "w", LONG).await;
    let files = [("a-1-0.conda", done(1))];
    let settled = ledger.settle(settlement(5, &files)).await.unwrap();
    assert_eq!(settled, Settled::Accepted);
    assert!(!is_claimed(&*ledger).await);
    assert_eq!(claim(&*ledger, 5, "x", LONG).await, granted(1));
}

/// One of two files failed: its retries are counted on.
pub async fn settling_a_part_of_a_build_keeps_its_attempts(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 5, "w", LONG).await;
    let part = Settlement {
        finished: false,
        ..settlement(5, &[("a-1-0.conda", done(1))])
    };
    ledger.settle(part).await.unwrap();
    assert!(!is_claimed(&*ledger).await);
    assert_eq!(claim(&*ledger, 5, "x", LONG).await, granted(2));
}

/// The host asked for patience after the first of two files: no try was lost, and what came before
/// it still counts.
pub async fn settling_a_part_uncounted_gives_the_attempt_back(ledger: Arc<dyn Ledger>) {
    let part = |counted| Settlement {
        finished: false,
        counted,
        ..settlement(5, &[("a-1-0.conda", done(1))])
    };
    claim(&*ledger, 5, "w", LONG).await;
    ledger.settle(part(false)).await.unwrap();
    assert!(!is_claimed(&*ledger).await);
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(1));
    ledger.settle(part(true)).await.unwrap();
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(2));
    ledger.settle(part(false)).await.unwrap();
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(2));
}

/// A worker whose claim was lost still writes what it did, and does not disturb the next one.
pub async fn settling_leaves_the_live_claim_of_another(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 5, "w", SHORT).await;
    claim_expired(&*ledger, 5, "x").await;
    let files = [("a-1-0.conda", done(1))];
    let settled = ledger.settle(settlement(5, &files)).await.unwrap();
    assert_eq!(settled, Settled::Accepted);
    assert!(is_claimed(&*ledger).await);
    assert!(renew(&*ledger, 5, "x").await);
}

/// Once renewed, the first time to live means nothing.
pub async fn a_renewed_claim_lives_on(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 5, "w", SHORT).await;
    assert!(renew(&*ledger, 5, "w").await);
    let Claim::Busy { expires_ms, .. } = claim(&*ledger, 5, "x", LONG).await else {
        panic!("the renewed claim is dead");
    };
    assert!(expires_ms > clock::now_ms() + 300_000);
}

/// An impatient caller takes nothing away.
pub async fn a_renewal_never_shortens_a_claim(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 5, "w", LONG).await;
    let renewed = ledger.renew("linux-64", "a-1-0", 5, "w", Duration::ZERO);
    assert!(renewed.await.unwrap());
    assert!(is_claimed(&*ledger).await);
}

/// After a flushed ledger the workers go on.
pub async fn a_renewal_makes_a_lost_claim_again(ledger: Arc<dyn Ledger>) {
    assert!(renew(&*ledger, 5, "w").await);
    assert!(is_claimed(&*ledger).await);
    release(&*ledger, 5, "w", true).await;
    assert_eq!(claim(&*ledger, 5, "x", LONG).await, granted(2));
}

/// What the worker does is no longer wanted.
pub async fn a_renewal_fails_when_the_build_is_anothers(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 5, "w", SHORT).await;
    claim_expired(&*ledger, 5, "x").await;
    assert!(!renew(&*ledger, 5, "w").await);
    release(&*ledger, 5, "x", true).await;
    claim(&*ledger, 6, "y", LONG).await;
    release(&*ledger, 6, "y", true).await;
    assert!(!renew(&*ledger, 5, "x").await);
    assert!(!is_claimed(&*ledger).await);
}

/// Live ones only, in the order asked.
pub async fn live_claims_are_told_from_others_in_bulk(ledger: Arc<dyn Ledger>) {
    for (stem, ttl) in [("live", LONG), ("dead", SHORT), ("freed", LONG)] {
        let claim = ledger.claim("linux-64", stem, 5, "w", ttl).await.unwrap();
        assert_eq!(claim, granted(1));
    }
    let freed = ledger.release("linux-64", "freed", 5, "w", true);
    freed.await.unwrap();
    let stems = texts(&["dead", "live", "never", "freed", "live"]);
    eventually("the dead claim to expire", async || {
        let claimed = ledger.claimed("linux-64", &stems).await.unwrap();
        (claimed == [false, true, false, false, true]).then_some(())
    })
    .await;
}

/// Claims are atomic.
pub async fn one_of_many_claims_at_once_is_granted(ledger: Arc<dyn Ledger>) {
    let mut claims = tokio::task::JoinSet::new();
    for n in 0..32 {
        let ledger = Arc::clone(&ledger);
        claims.spawn(async move { claim(&*ledger, 5, &format!("w{n}"), LONG).await });
    }
    let answers = claims.join_all().await;
    let granted = answers.iter().filter(|answer| **answer == granted(1));
    assert_eq!(granted.count(), 1);
    let busy = answers.iter().filter(|a| matches!(a, Claim::Busy { .. }));
    assert_eq!(busy.count(), 31);
}
