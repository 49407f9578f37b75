//! The promises of [`Tallies`](crate::Tallies).
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use mirror_runtime::clock;

use super::{LONG, claim, done, failed, granted, settlement, texts};
use crate::ledger::{Ledger, Settled};
use crate::outcome::{FailureKind, FileOutcome};
use crate::tally::{Counts, Tally};

async fn tally(ledger: &dyn Ledger) -> Tally {
    let tally = ledger.tally("linux-64").await.unwrap();
    tally.expect("a plan was begun")
}

async fn settle(ledger: &dyn Ledger, plan: u64, files: &[(&str, FileOutcome)]) {
    let settled = ledger.settle(settlement(plan, files)).await.unwrap();
    assert_eq!(settled, Settled::Accepted);
}

fn counts(done: u64, done_bytes: u64, failed: u64) -> Counts {
    Counts {
        done,
        done_bytes,
        failed,
        absent: 0,
    }
}

/// Each plan begins with nothing; what its run saw itself goes before what was counted.
pub async fn a_plan_is_counted_from_its_beginning_to_its_end(ledger: Arc<dyn Ledger>) {
    assert_eq!(ledger.tally("linux-64").await.unwrap(), None);
    settle(&*ledger, 4, &[("before.conda", done(9))]).await;
    let before = clock::now_ms();
    ledger
        .begin_tally("linux-64", 5, 3, 4, 1 << 40)
        .await
        .unwrap();
    let begun = tally(&*ledger).await;
    assert!(begun.started_ms + 60_000 > before && begun.started_ms < before + 3_600_000);
    let expected = Tally::begun(5, 3, 4, 1 << 40, begun.started_ms);
    assert_eq!(begun, expected);
    assert_eq!(ledger.tally("noarch").await.unwrap(), None);

    let files = [
        ("a-1-0.conda", done(1)),
        ("a-1-0.tar.bz2", failed()),
        ("b.conda", done(2)),
    ];
    settle(&*ledger, 5, &files).await;
    assert_eq!(tally(&*ledger).await.counts, counts(2, 3, 1));
    let adopted = vec![("c.conda".to_owned(), done(4))];
    ledger.adopt("linux-64", 5, adopted).await.unwrap();
    let counted = tally(&*ledger).await;
    assert_eq!(counted.counts, counts(3, 7, 1));
    assert_eq!((counted.left(), counted.ended_ms), (0, None));

    let seen = Counts {
        absent: 2,
        ..counts(1, 1, 1)
    };
    ledger.end_tally("linux-64", 4, seen).await.unwrap();
    assert_eq!(tally(&*ledger).await, counted, "that is another plan's");
    ledger.end_tally("linux-64", 5, seen).await.unwrap();
    let ended = tally(&*ledger).await;
    assert_eq!(ended.counts, seen);
    assert!(ended.ended_ms.unwrap() >= ended.started_ms);

    ledger.begin_tally("linux-64", 6, 3, 1, 1).await.unwrap();
    let next = tally(&*ledger).await;
    assert_eq!((next.counts, next.ended_ms), (Counts::default(), None));
}

/// Tasks are delivered twice, and tried again where a part of them failed.
pub async fn what_is_settled_twice_is_counted_once(ledger: Arc<dyn Ledger>) {
    ledger.begin_tally("linux-64", 5, 0, 4, 9).await.unwrap();
    let files = [("a-1-0.conda", done(1)), ("a-1-0.tar.bz2", failed())];
    for _ in 0..2 {
        settle(&*ledger, 5, &files).await;
        assert_eq!(tally(&*ledger).await.counts, counts(1, 1, 1));
    }
    // What is not written is not counted.
    let wanted = FileOutcome::Failed(match failed() {
        FileOutcome::Failed(failure) => crate::Failure {
            sha256: Some([1; 32]),
            ..failure
        },
        FileOutcome::Done { .. } => unreachable!("it failed"),
    });
    settle(&*ledger, 5, &[("a-1-0.conda", wanted)]).await;
    assert_eq!(tally(&*ledger).await.counts, counts(1, 1, 1));
}

/// A file is in one place of the sum.
pub async fn what_failed_and_then_was_done_is_done(ledger: Arc<dyn Ledger>) {
    settle(&*ledger, 4, &[("a-1-0.conda", failed())]).await;
    ledger.begin_tally("linux-64", 5, 0, 1, 9).await.unwrap();
    settle(&*ledger, 5, &[("a-1-0.conda", failed())]).await;
    assert_eq!(tally(&*ledger).await.counts, counts(0, 0, 1));
    settle(&*ledger, 5, &[("a-1-0.conda", done(7))]).await;
    assert_eq!(tally(&*ledger).await.counts, counts(1, 7, 0));
}

/// Also not if its cause says so.
pub async fn what_was_only_looked_for_is_no_failure(ledger: Arc<dyn Ledger>) {
    let of = |kind, cause: &str| match failed() {
        FileOutcome::Failed(failure) => FileOutcome::Failed(crate::Failure {
            kind,
            cause: cause.into(),
            ..failure
        }),
        done => done,
    };
    ledger.begin_tally("linux-64", 5, 0, 2, 9).await.unwrap();
    let files = [
        ("a-1-0.conda", of(FailureKind::Absent, "not there")),
        ("b.conda", of(FailureKind::Denied, r#""kind":"absent""#)),
    ];
    settle(&*ledger, 5, &files).await;
    let expected = Counts {
        failed: 1,
        absent: 1,
        ..Counts::default()
    };
    assert_eq!(tally(&*ledger).await.counts, expected);
    let files = [("a-1-0.conda", done(1)), ("b.conda", done(2))];
    settle(&*ledger, 5, &files).await;
    assert_eq!(tally(&*ledger).await.counts, counts(2, 3, 0));
}

/// A queue that was filled for an earlier plan works for this one; what is below the floor is planned again.
pub async fn files_of_earlier_plans_count_unless_they_were_there_before(ledger: Arc<dyn Ledger>) {
    settle(&*ledger, 2, &[("old.conda", done(1))]).await;
    ledger.begin_tally("linux-64", 5, 3, 3, 9).await.unwrap();
    settle(&*ledger, 4, &[("a-1-0.conda", done(2))]).await;
    assert_eq!(tally(&*ledger).await.counts, counts(1, 2, 0));
    settle(&*ledger, 4, &[("b.conda", failed())]).await;
    settle(&*ledger, 2, &[("c.conda", done(3))]).await;
    assert_eq!(tally(&*ledger).await.counts, counts(1, 2, 0));
    // The plan's own tasks find what is there, or bring it.
    let files = [
        ("a-1-0.conda", done(2)),
        ("b.conda", failed()),
        ("old.conda", done(1)),
    ];
    settle(&*ledger, 5, &files).await;
    assert_eq!(tally(&*ledger).await.counts, counts(2, 3, 1));
    settle(&*ledger, 6, &[("d.conda", done(4))]).await;
    assert_eq!(tally(&*ledger).await.counts, counts(2, 3, 1));
}

/// It writes nothing either.
pub async fn a_superseded_settlement_counts_nothing(ledger: Arc<dyn Ledger>) {
    ledger.begin_tally("linux-64", 5, 0, 1, 9).await.unwrap();
    assert_eq!(claim(&*ledger, 6, "other", LONG).await, granted(1));
    let late = settlement(5, &[("a-1-0.conda", done(1))]);
    let settled = ledger.settle(late).await.unwrap();
    assert_eq!(settled, Settled::Superseded { by: 6 });
    assert_eq!(tally(&*ledger).await.counts, Counts::default());
}

/// A channel that did not change is planned all the same.
pub async fn what_was_forgotten_is_known_until_the_next_plan(ledger: Arc<dyn Ledger>) {
    settle(&*ledger, 5, &[("a-1-0.conda", failed())]).await;
    ledger
        .forget("linux-64", &texts(&["other.conda"]))
        .await
        .unwrap();
    assert!(!ledger.has_forgotten("linux-64").await.unwrap());
    let names = texts(&["a-1-0.conda"]);
    assert_eq!(ledger.forget("linux-64", &names).await.unwrap(), 1);
    assert!(ledger.has_forgotten("linux-64").await.unwrap());
    assert!(!ledger.has_forgotten("noarch").await.unwrap());
    ledger.begin_plan("linux-64").await.unwrap();
    assert!(!ledger.has_forgotten("linux-64").await.unwrap());
}
