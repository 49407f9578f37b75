#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn at(now_ms: u64) -> Term {
    Term {
        now_ms,
        ttl_ms: 100,
    }
}

fn actor(plan: u64, worker: &str) -> Actor<'_> {
    Actor { plan, worker }
}

fn granted(row: Option<BuildRow>, actor: Actor<'_>, term: Term) -> (u32, bool, BuildRow) {
    match claim(row, actor, term) {
        (
            Claim::Granted {
                attempt,
                interrupted,
            },
            Some(row),
        ) => (attempt, interrupted, row),
        (other, _) => panic!("not granted: {other:?}"),
    }
}

#[test]
fn a_claim_is_dead_at_the_moment_it_expires() {
    let (_, _, row) = granted(None, actor(1, "a"), at(0));
    assert!(row.is_live(99));
    assert!(matches!(
        claim(Some(row.clone()), actor(1, "b"), at(99)),
        (
            Claim::Busy {
                expires_ms: 100,
                ..
            },
            None
        )
    ));
    let (attempt, interrupted, _) = granted(Some(row), actor(1, "b"), at(100));
    assert_eq!((attempt, interrupted), (2, true));
}

#[test]
fn a_renewal_is_spared_only_where_the_claim_is_ones_own_and_young() {
    let (_, _, row) = granted(None, actor(1, "a"), at(0));
    assert!(is_fresh(&row, actor(1, "a"), at(0)) && is_fresh(&row, actor(1, "a"), at(25)));
    assert!(!is_fresh(&row, actor(1, "a"), at(26)));
    assert!(!is_fresh(&row, actor(1, "b"), at(0)));
    assert!(!is_fresh(&row, actor(2, "a"), at(0)));
    let Change::Store(released) = release(Some(row), actor(1, "a"), true) else {
        panic!("the attempt is forgotten");
    };
    assert!(!is_fresh(&released, actor(1, "a"), at(0)));
}

#[test]
fn an_orderly_release_leaves_no_mark_and_uncounted_leaves_nothing() {
    let (_, _, row) = granted(None, actor(1, "a"), at(0));
    assert_eq!(
        release(Some(row.clone()), actor(1, "a"), false),
        Change::Remove
    );
    let Change::Store(row) = release(Some(row), actor(1, "a"), true) else {
        panic!("the attempt is forgotten");
    };
    let (attempt, interrupted, _) = granted(Some(row), actor(1, "b"), at(1));
    assert_eq!((attempt, interrupted), (2, false));
}

#[test]
fn a_claim_that_expired_unnoticed_can_still_be_renewed() {
    let (_, _, row) = granted(None, actor(1, "a"), at(0));
    let row = renew(Some(row), actor(1, "a"), at(500)).unwrap();
    assert!(row.is_live(599));
    assert!(!row.interrupted);
}

#[test]
fn a_renewal_that_takes_over_from_a_dead_claim_keeps_the_mark() {
    let (_, _, row) = granted(None, actor(1, "a"), at(0));
    let row = renew(Some(row), actor(1, "b"), at(200)).unwrap();
    assert!(row.interrupted && row.is_held_by(actor(1, "b")));
}

#[test]
fn an_unfinished_settlement_beside_a_dead_claim_keeps_the_mark() {
    let (_, _, row) = granted(None, actor(1, "a"), at(0));
    let Change::Store(row) = settle(Some(row), actor(1, "b"), false, 200) else {
        panic!("the row is gone or untouched");
    };
    assert!(row.interrupted && row.holder.is_none());
}

#[derive(Debug, Clone)]
enum Step {
    Claim(u64, u8),
    Renew(u64, u8),
    Release(u64, u8, bool),
    Settle(u64, u8, bool),
    Wait(u64),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3u64, 0..3u8).prop_map(|(p, w)| Step::Claim(p, w)),
        (0..3u64, 0..3u8).prop_map(|(p, w)| Step::Renew(p, w)),
        (0..3u64, 0..3u8, any::<bool>()).prop_map(|(p, w, c)| Step::Release(p, w, c)),
        (0..3u64, 0..3u8, any::<bool>()).prop_map(|(p, w, f)| Step::Settle(p, w, f)),
        (0..150u64).prop_map(Step::Wait),
        Just(Step::Crash),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    /// Whatever happens in whatever order: a live claim is only ended by its worker, and the plan
    /// of a row never falls while the row lasts.
    #[test]
    fn nobody_ends_a_live_claim_of_another(steps in steps()) {
        let mut row: Option<BuildRow> = None;
        let mut now = 0;
        for step in steps {
            let before = row.clone();
            let apply = |row: &mut Option<BuildRow>, change: Change| match change {
                Change::Keep => {}
                Change::Store(new) => *row = Some(new),
                Change::Remove => *row = None,
            };
            let mut by = None;
            match step {
                Step::Claim(plan, w) => {
                    let worker = w.to_string();
                    let (_, new) = claim(row.clone(), actor(plan, &worker), at(now));
                    row = new.or(row);
                }
                Step::Renew(plan, w) => {
                    let worker = w.to_string();
                    let new = renew(row.clone(), actor(plan, &worker), at(now));
                    row = new.or(row);
                    by = Some(worker);
                }
                Step::Release(plan, w, counted) => {
                    let worker = w.to_string();
                    let change = release(row.clone(), actor(plan, &worker), counted);
                    apply(&mut row, change);
                    by = Some(worker);
                }
                Step::Settle(plan, w, finished) => {
                    let worker = w.to_string();
                    let change = settle(row.clone(), actor(plan, &worker), finished, now);
                    apply(&mut row, change);
                    by = Some(worker);
                }
                Step::Wait(ms) => now += ms,
                Step::Crash => {
                    if let Some(row) = &mut row {
                        row.interrupt();
                    }
                    continue;
                }
            }
            let Some(before) = before else { continue };
            if let Some(after) = &row {
                prop_assert!(after.plan >= before.plan);
            }
            let held = before.holder.as_ref().filter(|_| before.is_live(now));
            if let Some(held) = held && by.as_ref() != Some(&held.worker) {
                prop_assert_eq!(row.as_ref(), Some(&before));
            }
        }
    }
}
