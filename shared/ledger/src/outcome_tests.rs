use super::*;
use proptest::prelude::*;

const A: [u8; 32] = [0xa; 32];
const B: [u8; 32] = [0xb; 32];

fn done(plan: u64, md5: Option<[u8; 16]>) -> Recorded {
    let outcome = FileOutcome::Done {
        sha256: A,
        md5,
        size: 10,
    };
    Recorded { plan, outcome }
}

fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        cause: "reset".into(),
        attempts: 8,
        at_ms: 1_000_000,
        sha256: Some(A),
    }
}

fn wanted(sha256: Option<[u8; 32]>, md5: Option<[u8; 16]>, size: Option<u64>) -> Wanted {
    Wanted { sha256, md5, size }
}

#[test]
fn only_the_wanted_sha256_is_done_whatever_md5_and_size_say() {
    let outcome = done(1, Some([1; 16])).outcome;
    assert!(outcome.is_done_as(&wanted(Some(A), Some([9; 16]), Some(99))));
    assert!(!outcome.is_done_as(&wanted(Some(B), Some([1; 16]), Some(10))));
}

#[test]
fn without_a_sha256_the_md5_and_the_size_decide() {
    let outcome = done(1, Some([1; 16])).outcome;
    assert!(outcome.is_done_as(&wanted(None, Some([1; 16]), Some(10))));
    assert!(outcome.is_done_as(&wanted(None, Some([1; 16]), None)));
    assert!(!outcome.is_done_as(&wanted(None, Some([1; 16]), Some(11))));
    assert!(!outcome.is_done_as(&wanted(None, Some([2; 16]), Some(10))));
    let without = done(1, None).outcome;
    assert!(!without.is_done_as(&wanted(None, Some([1; 16]), Some(10))));
}

#[test]
fn without_any_hash_a_file_that_is_there_counts_unless_its_size_is_another() {
    let outcome = done(1, None).outcome;
    assert!(outcome.is_done_as(&wanted(None, None, Some(10))));
    assert!(outcome.is_done_as(&wanted(None, None, None)));
    assert!(!outcome.is_done_as(&wanted(None, None, Some(11))));
    let failed = FileOutcome::Failed(failure(FailureKind::Refused));
    assert!(!failed.is_done_as(&wanted(None, None, Some(10))));
}

#[test]
fn a_record_that_gains_a_hash_is_compared_with_it() {
    // As a file is recorded that was mirrored without one.
    let outcome = done(1, Some([1; 16])).outcome;
    assert!(outcome.is_done_as(&wanted(None, None, Some(10))));
    assert!(outcome.is_done_as(&wanted(Some(A), None, Some(10))));
    assert!(!outcome.is_done_as(&wanted(Some(B), None, Some(10))));
    assert!(outcome.is_done_as(&wanted(None, Some([1; 16]), Some(10))));
    assert!(!outcome.is_done_as(&wanted(None, Some([2; 16]), Some(10))));
}

#[test]
fn an_outcome_of_the_tasks_plan_or_a_later_one_settles_it() {
    let other = wanted(Some(B), None, None);
    assert!(done(5, None).settles(5, &other, true));
    assert!(done(6, None).settles(5, &other, true));
    let outcome = FileOutcome::Failed(failure(FailureKind::Permanent));
    assert!(Recorded { plan: 5, outcome }.settles(5, &other, false));
}

#[test]
fn an_earlier_outcome_settles_only_as_done_with_the_digest_and_without_a_probe() {
    let same = wanted(Some(A), None, None);
    assert!(done(4, None).settles(5, &same, false));
    assert!(!done(4, None).settles(5, &same, true));
    assert!(!done(4, None).settles(5, &wanted(Some(B), None, None), false));
    let outcome = FileOutcome::Failed(failure(FailureKind::Permanent));
    assert!(!Recorded { plan: 4, outcome }.settles(5, &same, false));
}

#[test]
fn a_failure_rests_for_an_hour() {
    for kind in [FailureKind::Retry, FailureKind::Permanent] {
        let failure = failure(kind);
        let due = failure.at_ms + 3_600_000;
        assert!(!failure.due(due - 1, Some(&A), false));
        assert!(!failure.due(failure.at_ms, Some(&A), false));
        let of_a_clock_that_is_ahead = failure.at_ms - 1;
        assert!(failure.due(of_a_clock_that_is_ahead, Some(&A), false));
        assert!(failure.due(due, Some(&A), false));
        assert!(failure.due(failure.at_ms, Some(&A), true));
        assert!(failure.due(failure.at_ms, Some(&B), false));
        assert!(failure.due(failure.at_ms, None, false));
    }
}

#[test]
fn denials_local_errors_refusals_and_files_only_looked_for_are_always_due() {
    for kind in [
        FailureKind::Denied,
        FailureKind::Local,
        FailureKind::Absent,
        FailureKind::Refused,
    ] {
        assert!(failure(kind).due(0, Some(&A), false));
        assert_eq!(failure(kind).due_at_ms(), 1_000_000);
    }
}

#[test]
fn a_long_cause_is_cut_between_characters() {
    let cause = Cause::new(format!("x{}", "ä".repeat(1000)));
    assert_eq!(cause.as_str().len(), 1023);
    assert!(cause.as_str().ends_with('ä'));
}

proptest! {
    #[test]
    fn a_lower_number_never_overwrites_a_higher(old: u64, new: u64) {
        let outcome = done(new, None).outcome;
        prop_assert_eq!(done(old, None).yields_to(new, &outcome), new >= old);
    }
}
