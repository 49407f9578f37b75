//! The suite that every driver of the seams passes: one function a promise, each given a ledger
//! that is empty and that nobody else uses. [`ledger_conformance!`](crate::ledger_conformance)
//! makes a test of each.
#![allow(clippy::unwrap_used)] // a suite of tests: a failed expectation is a failed test

pub mod claims;
pub mod controls;
pub mod leases;
pub mod outcomes;
pub mod tallies;

use std::time::Duration;

use crate::ledger::{Claim, Ledger, Settlement};
use crate::outcome::{Failure, FailureKind, FileOutcome};

/// A time to live that outlasts every test.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// A time to live that is over before a test looks twice.
pub(crate) const SHORT: Duration = Duration::from_millis(1);

/// How long a promise may take to come true before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A test for each promise; `$ledger` is an expression for a guard that keeps the ledger's place
/// and an empty `Arc<dyn Ledger>`, and may await. Used inside a test module of the driver.
#[macro_export]
macro_rules! ledger_conformance {
    ($ledger:expr) => {
        $crate::ledger_conformance! { $ledger; outcomes:
            the_id_stays_the_same,
            the_beat_of_the_pulse_only_rises,
            outcomes_come_back_in_the_order_asked,
            subdirs_do_not_mix,
            a_lower_plan_never_overwrites_a_higher_and_writes_nothing,
            the_same_plan_may_overwrite,
            a_failure_never_overwrites_the_same_file_done_under_its_plan,
            a_settlement_below_the_plan_of_a_claim_is_superseded,
            a_superseded_settlement_releases_the_claim,
            adopting_keeps_outcomes_of_higher_plans,
            many_files_are_adopted_and_looked_up,
            failures_are_listed_by_name_in_pages,
            what_is_done_after_all_is_no_failure_any_more,
            forgotten_files_are_unknown,
            the_state_of_a_subdir_is_kept,
            the_state_of_a_lower_plan_never_replaces_that_of_a_higher,
            plan_numbers_only_rise,
            plans_begun_at_once_have_different_numbers,
        }
        $crate::ledger_conformance! { $ledger; claims:
            attempts_are_counted_at_the_claim_and_by_plan,
            a_live_claim_keeps_everybody_out,
            an_expired_claim_is_granted_again_and_marked,
            the_mark_of_an_interruption_stays_until_the_build_is_finished,
            an_uncounted_release_gives_the_attempt_back,
            a_release_by_another_changes_nothing,
            a_claim_below_the_plan_of_another_is_superseded,
            finishing_a_build_forgets_its_attempts,
            settling_a_part_of_a_build_keeps_its_attempts,
            settling_a_part_uncounted_gives_the_attempt_back,
            settling_leaves_the_live_claim_of_another,
            a_renewed_claim_lives_on,
            a_renewal_never_shortens_a_claim,
            a_renewal_makes_a_lost_claim_again,
            a_renewal_fails_when_the_build_is_anothers,
            live_claims_are_told_from_others_in_bulk,
            one_of_many_claims_at_once_is_granted,
        }
        $crate::ledger_conformance! { $ledger; controls:
            a_paused_subdir_gives_out_no_build,
            a_cancelled_plan_is_superseded,
            plans_begun_after_a_cancellation_are_higher,
        }
        $crate::ledger_conformance! { $ledger; leases:
            a_held_lease_names_its_owner,
            the_holder_of_a_lease_can_be_looked_up,
            the_owner_may_take_its_lease_again,
            an_ended_lease_can_be_taken_but_not_renewed,
            a_renewed_lease_lives_on,
            a_lease_given_up_is_free,
            only_the_owner_gives_a_lease_up,
            each_subdir_has_its_own_lease,
            one_of_many_runs_at_once_gets_the_lease,
        }
        $crate::ledger_conformance! { $ledger; tallies:
            a_plan_is_counted_from_its_beginning_to_its_end,
            what_is_settled_twice_is_counted_once,
            what_failed_and_then_was_done_is_done,
            what_was_only_looked_for_is_no_failure,
            files_of_earlier_plans_count_unless_they_were_there_before,
            a_superseded_settlement_counts_nothing,
            what_was_forgotten_is_known_until_the_next_plan,
        }
    };
    ($ledger:expr; $part:ident: $($promise:ident,)*) => {
        mod $part {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (_guard, ledger) = $ledger;
                $crate::conformance::$part::$promise(ledger).await;
            })*
        }
    };
}

/// A done file that differs from others by `number`.
#[must_use]
pub fn done(number: u8) -> FileOutcome {
    FileOutcome::Done {
        sha256: [number; 32],
        md5: None,
        size: u64::from(number),
    }
}

/// A failed file.
#[must_use]
pub fn failed() -> FileOutcome {
    FileOutcome::Failed(Failure {
        kind: FailureKind::Retry,
        cause: "connection reset".into(),
        attempts: 8,
        at_ms: 1_790_000_000_000,
        sha256: Some([9; 32]),
    })
}

/// A finished settlement of build `a-1-0` in `linux-64` by worker `w`.
#[must_use]
pub fn settlement(plan: u64, files: &[(&str, FileOutcome)]) -> Settlement {
    let files = files.iter();
    Settlement {
        subdir: "linux-64".to_owned(),
        stem: "a-1-0".to_owned(),
        worker: "w".to_owned(),
        plan,
        files: files
            .map(|(file, outcome)| ((*file).to_owned(), outcome.clone()))
            .collect(),
        finished: true,
        counted: true,
    }
}

/// A claim of build `a-1-0` in `linux-64`.
pub(crate) async fn claim(ledger: &dyn Ledger, plan: u64, worker: &str, ttl: Duration) -> Claim {
    let claim = ledger.claim("linux-64", "a-1-0", plan, worker, ttl).await;
    claim.unwrap()
}

/// Claims until the claim before has expired.
pub(crate) async fn claim_expired(ledger: &dyn Ledger, plan: u64, worker: &str) -> Claim {
    eventually("the claim to expire", async || {
        let answer = claim(ledger, plan, worker, LONG).await;
        (!matches!(answer, Claim::Busy { .. })).then_some(answer)
    })
    .await
}

/// The answer to a first claim of a build that nobody left half done.
#[must_use]
pub fn granted(attempt: u32) -> Claim {
    Claim::Granted {
        attempt,
        interrupted: false,
    }
}

/// The answer to a claim after one that ended without word.
#[must_use]
pub fn granted_after_interruption(attempt: u32) -> Claim {
    Claim::Granted {
        attempt,
        interrupted: true,
    }
}

pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let watch = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, watch).await {
        Ok(found) => found,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

/// `names` as owned texts.
pub(crate) fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
