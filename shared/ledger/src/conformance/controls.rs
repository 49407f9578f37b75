//! The promises of [`Controls`](crate::Controls).
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::{LONG, claim, done, granted, settlement, texts};
use crate::ledger::{Claim, Control, Ledger, Settled};

/// What is under way goes on, and ends as it would have.
pub async fn a_paused_subdir_gives_out_no_build(ledger: Arc<dyn Ledger>) {
    let control = ledger.control("linux-64").await.unwrap();
    assert_eq!(control, Control::default());
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(1));
    ledger.set_paused("linux-64", true).await.unwrap();
    assert!(ledger.control("linux-64").await.unwrap().paused);
    let other = ledger.claim("linux-64", "b-1-0", 5, "w", LONG);
    assert_eq!(other.await.unwrap(), Claim::Paused);
    let elsewhere = ledger.claim("noarch", "b-1-0", 5, "w", LONG);
    assert_eq!(elsewhere.await.unwrap(), granted(1));
    let renewed = ledger.renew("linux-64", "a-1-0", 5, "w", LONG);
    assert!(renewed.await.unwrap());
    let files = [("a-1-0.conda", done(1))];
    let settled = ledger.settle(settlement(5, &files)).await.unwrap();
    assert_eq!(settled, Settled::Accepted);

    ledger.set_paused("linux-64", false).await.unwrap();
    assert!(!ledger.control("linux-64").await.unwrap().paused);
    // It cost no attempt.
    let other = ledger.claim("linux-64", "b-1-0", 5, "w", LONG);
    assert_eq!(other.await.unwrap(), granted(1));
}

/// Its tasks are stale, also while the subdir is paused, and what is under way is no longer wanted; what
/// was done counts.
pub async fn a_cancelled_plan_is_superseded(ledger: Arc<dyn Ledger>) {
    assert_eq!(claim(&*ledger, 5, "w", LONG).await, granted(1));
    ledger.cancel("linux-64", 5).await.unwrap();
    ledger.cancel("linux-64", 3).await.unwrap();
    assert_eq!(ledger.control("linux-64").await.unwrap().cancelled, 5);
    let renewed = ledger.renew("linux-64", "a-1-0", 5, "w", LONG);
    assert!(!renewed.await.unwrap());
    ledger.set_paused("linux-64", true).await.unwrap();
    let stale = ledger.claim("linux-64", "b-1-0", 5, "w", LONG);
    assert_eq!(stale.await.unwrap(), Claim::Superseded { plan: 5 });
    let later = ledger.claim("linux-64", "b-1-0", 6, "w", LONG);
    assert_eq!(later.await.unwrap(), Claim::Paused);
    ledger.set_paused("linux-64", false).await.unwrap();
    assert_eq!(ledger.control("linux-64").await.unwrap().cancelled, 5);

    let files = [("a-1-0.conda", done(1))];
    let settled = ledger.settle(settlement(5, &files)).await.unwrap();
    assert_eq!(settled, Settled::Accepted);
    assert_eq!(claim(&*ledger, 6, "w", LONG).await, granted(1));
    let stems = texts(&["a-1-0"]);
    assert_eq!(ledger.claimed("linux-64", &stems).await.unwrap(), [true]);
}

/// The next run is not cancelled with the last.
pub async fn plans_begun_after_a_cancellation_are_higher(ledger: Arc<dyn Ledger>) {
    let plan = ledger.begin_plan("linux-64").await.unwrap();
    let cancelled = plan + 1_000_000;
    ledger.cancel("linux-64", cancelled).await.unwrap();
    let next = ledger.begin_plan("linux-64").await.unwrap();
    assert!(next > cancelled, "{next}");
    assert_eq!(claim(&*ledger, next, "w", LONG).await, granted(1));
}
