//! The promises of [`Outcomes`](crate::Outcomes).
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::sync::Arc;

use mirror_runtime::clock;

use super::{LONG, claim, done, failed, granted, settlement, texts};
use crate::ledger::{Claim, Ledger, Pulse, Settled};
use crate::outcome::{Failure, FileOutcome, Recorded};
use crate::subdir_state::SubdirState;

async fn outcome(ledger: &dyn Ledger, file: &str) -> Option<(u64, FileOutcome)> {
    let found = ledger.get_many("linux-64", &texts(&[file])).await.unwrap();
    let [found] = <[Option<Recorded>; 1]>::try_from(found).unwrap();
    found.map(|Recorded { plan, outcome }| (plan, outcome))
}

/// A changed id means a ledger that lost everything.
pub async fn the_id_stays_the_same(ledger: Arc<dyn Ledger>) {
    let id = ledger.pulse("linux-64").await.unwrap().id;
    assert!(id.len() >= 16, "{id:?} is too short to be unique");
    ledger.begin_plan("linux-64").await.unwrap();
    assert_eq!(ledger.pulse("linux-64").await.unwrap().id, id);
}

/// One that does not rise means a ledger that went back.
pub async fn the_beat_of_the_pulse_only_rises(ledger: Arc<dyn Ledger>) {
    let mut last = 0;
    for _ in 0..5 {
        ledger.begin_plan("linux-64").await.unwrap();
        let Pulse { beat, .. } = ledger.pulse("linux-64").await.unwrap();
        assert!(beat > last, "{beat} after {last}");
        last = beat;
    }
}

/// Each answer stands where its question stood, unknown files and repeated ones too.
pub async fn outcomes_come_back_in_the_order_asked(ledger: Arc<dyn Ledger>) {
    let md5_only = FileOutcome::Done {
        sha256: [3; 32],
        md5: Some([4; 16]),
        size: u64::MAX,
    };
    let files = [
        ("c.conda", done(1)),
        ("b.conda", failed()),
        ("a.conda", md5_only.clone()),
    ];
    let settled = ledger.settle(settlement(7, &files)).await.unwrap();
    assert_eq!(settled, Settled::Accepted);
    let asked = texts(&["a.conda", "none", "c.conda", "b.conda", "c.conda"]);
    let found = ledger.get_many("linux-64", &asked).await.unwrap();
    let wanted = [
        Some(md5_only),
        None,
        Some(done(1)),
        Some(failed()),
        Some(done(1)),
    ];
    let wanted = wanted.map(|outcome| outcome.map(|outcome| Recorded { plan: 7, outcome }));
    assert_eq!(found, wanted);
    assert_eq!(ledger.get_many("linux-64", &[]).await.unwrap(), []);
}

/// The same names in another subdir are others.
pub async fn subdirs_do_not_mix(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 1, "w", LONG).await;
    let other = ledger.claim("noarch", "a-1-0", 1, "x", LONG).await.unwrap();
    assert_eq!(other, granted(1));
    let files = [("a-1-0.conda", done(1))];
    ledger.settle(settlement(1, &files)).await.unwrap();
    let asked = texts(&["a-1-0.conda"]);
    assert_eq!(ledger.get_many("noarch", &asked).await.unwrap(), [None]);
    let stems = texts(&["a-1-0"]);
    assert_eq!(ledger.claimed("noarch", &stems).await.unwrap(), [true]);
    assert_eq!(ledger.claimed("linux-64", &stems).await.unwrap(), [false]);
}

/// One file of a later plan keeps the whole settlement out.
pub async fn a_lower_plan_never_overwrites_a_higher_and_writes_nothing(ledger: Arc<dyn Ledger>) {
    let later = [("a-1-0.conda", done(1))];
    ledger.settle(settlement(9, &later)).await.unwrap();
    let files = [("a-1-0.tar.bz2", done(2)), ("a-1-0.conda", done(2))];
    let settled = ledger.settle(settlement(8, &files)).await.unwrap();
    assert_eq!(settled, Settled::Superseded { by: 9 });
    assert_eq!(outcome(&*ledger, "a-1-0.conda").await, Some((9, done(1))));
    assert_eq!(outcome(&*ledger, "a-1-0.tar.bz2").await, None);
}

/// Two workers of one plan come to the same result; the later one's stands.
pub async fn the_same_plan_may_overwrite(ledger: Arc<dyn Ledger>) {
    for value in [failed(), done(1)] {
        let files = [("a-1-0.conda", value)];
        let settled = ledger.settle(settlement(8, &files)).await.unwrap();
        assert_eq!(settled, Settled::Accepted);
    }
    assert_eq!(outcome(&*ledger, "a-1-0.conda").await, Some((8, done(1))));
}

/// What one try brought stays done when a later try of the build fails as a whole; the rest of the
/// settlement is written.
pub async fn a_failure_never_overwrites_the_same_file_done_under_its_plan(ledger: Arc<dyn Ledger>) {
    let no_sha256 = match failed() {
        FileOutcome::Failed(failure) => FileOutcome::Failed(Failure {
            sha256: None,
            ..failure
        }),
        done => done,
    };
    // `failed` is about the file that `done(9)` is.
    let first = [("same", done(9)), ("md5", done(1)), ("other", done(1))];
    ledger.settle(settlement(8, &first)).await.unwrap();
    let later = [
        ("same", failed()),
        ("md5", no_sha256.clone()),
        ("other", failed()),
        ("new", failed()),
    ];
    let settled = ledger.settle(settlement(8, &later)).await.unwrap();
    assert_eq!(settled, Settled::Accepted);
    assert_eq!(outcome(&*ledger, "same").await, Some((8, done(9))));
    assert_eq!(outcome(&*ledger, "md5").await, Some((8, done(1))));
    assert_eq!(outcome(&*ledger, "other").await, Some((8, failed())));
    assert_eq!(outcome(&*ledger, "new").await, Some((8, failed())));

    let same = vec![("same".to_owned(), failed())];
    assert_eq!(ledger.adopt("linux-64", 8, same).await.unwrap(), 0);
    let later = [("same", failed())];
    ledger.settle(settlement(9, &later)).await.unwrap();
    assert_eq!(outcome(&*ledger, "same").await, Some((9, failed())));
}

/// A later plan's worker is at it and may have written its manifest already.
pub async fn a_settlement_below_the_plan_of_a_claim_is_superseded(ledger: Arc<dyn Ledger>) {
    claim(&*ledger, 9, "x", LONG).await;
    let files = [("a-1-0.conda", done(1))];
    let settled = ledger.settle(settlement(8, &files)).await.unwrap();
    assert_eq!(settled, Settled::Superseded { by: 9 });
    assert_eq!(outcome(&*ledger, "a-1-0.conda").await, None);
    let again = claim(&*ledger, 9, "y", LONG).await;
    assert!(
        matches!(again, Claim::Busy { .. }),
        "the claim is gone: {again:?}"
    );
}

/// The worker that learns it was overtaken holds the build no longer.
pub async fn a_superseded_settlement_releases_the_claim(ledger: Arc<dyn Ledger>) {
    let later = vec![("a-1-0.conda".to_owned(), done(1))];
    ledger.adopt("linux-64", 9, later).await.unwrap();
    claim(&*ledger, 8, "w", LONG).await;
    let files = [("a-1-0.conda", done(2))];
    let settled = ledger.settle(settlement(8, &files)).await.unwrap();
    assert_eq!(settled, Settled::Superseded { by: 9 });
    let stems = texts(&["a-1-0"]);
    assert_eq!(ledger.claimed("linux-64", &stems).await.unwrap(), [false]);
}

/// Outcomes found elsewhere do not replace what is known better; claims are not touched.
pub async fn adopting_keeps_outcomes_of_higher_plans(ledger: Arc<dyn Ledger>) {
    let known = [("later", done(1)), ("same", done(1)), ("earlier", done(1))];
    for (plan, file) in [9, 8, 7].into_iter().zip(known) {
        ledger.settle(settlement(plan, &[file])).await.unwrap();
    }
    claim(&*ledger, 8, "w", LONG).await;
    let names = texts(&["later", "same", "earlier", "new"]);
    let outcomes = names.iter().map(|name| (name.clone(), done(2))).collect();
    assert_eq!(ledger.adopt("linux-64", 8, outcomes).await.unwrap(), 3);
    let found = ledger.get_many("linux-64", &names).await.unwrap();
    let wanted = [(9, done(1)), (8, done(2)), (8, done(2)), (8, done(2))];
    let wanted = wanted.map(|(plan, outcome)| Some(Recorded { plan, outcome }));
    assert_eq!(found, wanted);
    let stems = texts(&["a-1-0"]);
    assert_eq!(ledger.claimed("linux-64", &stems).await.unwrap(), [true]);
}

/// More than one message or transaction holds.
pub async fn many_files_are_adopted_and_looked_up(ledger: Arc<dyn Ledger>) {
    let names: Vec<String> = (0..12_000).map(|n| format!("p{n}-1-0.conda")).collect();
    let numbered = |n: usize| done(u8::try_from(n % 251).unwrap());
    let named = names.iter().cloned().enumerate();
    let outcomes = named.map(|(n, name)| (name, numbered(n))).collect();
    assert_eq!(ledger.adopt("linux-64", 5, outcomes).await.unwrap(), 12_000);
    let mut n = 0;
    for batch in names.chunks(5_000) {
        for found in ledger.get_many("linux-64", batch).await.unwrap() {
            let outcome = numbered(n);
            assert_eq!(found, Some(Recorded { plan: 5, outcome }), "file {n}");
            n += 1;
        }
    }
    assert_eq!(n, 12_000);
}

/// Each once and whole, done files and other subdirs left out.
pub async fn failures_are_listed_by_name_in_pages(ledger: Arc<dyn Ledger>) {
    let names: Vec<String> = (0..2_500).map(|n| format!("p{n:04}-1-0.conda")).collect();
    let outcomes = |outcome: FileOutcome| {
        let named = names.iter().enumerate();
        named
            .map(|(n, name)| match n % 5 {
                0 => (name.clone(), done(1)),
                _ => (name.clone(), outcome.clone()),
            })
            .collect::<Vec<_>>()
    };
    let adopted = ledger.adopt("linux-64", 5, outcomes(failed())).await;
    assert_eq!(adopted.unwrap(), 2_500);
    let elsewhere = vec![("p0001".to_owned(), failed())];
    ledger.adopt("noarch", 5, elsewhere).await.unwrap();

    let mut found = Vec::new();
    loop {
        let after = found.last().cloned();
        let page = ledger.failures("linux-64", after.as_deref(), 600).await;
        let page = page.unwrap();
        for (name, recorded) in &page {
            let outcome = failed();
            assert_eq!(*recorded, Recorded { plan: 5, outcome }, "{name}");
        }
        let last = page.len() < 600;
        found.extend(page.into_iter().map(|(name, _)| name));
        if last {
            break;
        }
    }
    let wanted = names.iter().enumerate().filter(|(n, _)| n % 5 != 0);
    assert!(found.iter().eq(wanted.map(|(_, name)| name)), "{found:?}");
    assert_eq!(ledger.count_failures("linux-64").await.unwrap(), 2_000);
    assert_eq!(ledger.failures("linux-64", None, 0).await.unwrap(), []);
    let all = ledger.failures("linux-64", None, 9_999).await.unwrap();
    assert_eq!(all.len(), 2_000);
}

/// And what failed after all is no done file.
pub async fn what_is_done_after_all_is_no_failure_any_more(ledger: Arc<dyn Ledger>) {
    for (plan, value, count) in [(7, failed(), 1), (8, done(1), 0), (9, failed(), 1)] {
        let files = [("a-1-0.conda", value.clone())];
        ledger.settle(settlement(plan, &files)).await.unwrap();
        assert_eq!(ledger.count_failures("linux-64").await.unwrap(), count);
        assert_eq!(outcome(&*ledger, "a-1-0.conda").await, Some((plan, value)));
    }
}

/// Done or failed; a plan of any number decides anew.
pub async fn forgotten_files_are_unknown(ledger: Arc<dyn Ledger>) {
    let files = [("bad", failed()), ("good", done(1)), ("other", failed())];
    ledger.settle(settlement(9, &files)).await.unwrap();
    let names = texts(&["bad", "good", "never"]);
    assert_eq!(ledger.forget("linux-64", &names).await.unwrap(), 2);
    assert_eq!(ledger.forget("linux-64", &names).await.unwrap(), 0);
    let found = ledger.get_many("linux-64", &names).await.unwrap();
    assert_eq!(found, [None, None, None]);
    let left = ledger.failures("linux-64", None, 9).await.unwrap();
    let outcome = failed();
    assert_eq!(left, [("other".to_owned(), Recorded { plan: 9, outcome })]);

    let again = [("bad", done(2))];
    let settled = ledger.settle(settlement(8, &again)).await.unwrap();
    assert_eq!(settled, Settled::Accepted);
}

/// What was put in comes out, by subdir, the last one wins.
pub async fn the_state_of_a_subdir_is_kept(ledger: Arc<dyn Ledger>) {
    assert_eq!(ledger.subdir_state("linux-64").await.unwrap(), None);
    let first = SubdirState {
        plan: 9,
        disbelieved: Some("sha256:0".to_owned()),
        floor: 3,
        intended: Some("sha256:b".to_owned()),
        confirmed: Some("sha256:a".to_owned()),
        records: 521_531,
        excluded: Some(3),
        validator: Some("{\"etag\": \"x\"}".to_owned()),
        fingerprint: "all".to_owned(),
        complete: true,
        failures: 7,
        bad_records: 2,
        retry_due_ms: Some(5),
        published_ms: Some(4),
    };
    ledger.set_subdir_state("linux-64", &first).await.unwrap();
    let second = SubdirState {
        complete: false,
        intended: None,
        ..first.clone()
    };
    ledger.set_subdir_state("noarch", &first).await.unwrap();
    ledger.set_subdir_state("linux-64", &second).await.unwrap();
    assert_eq!(ledger.subdir_state("linux-64").await.unwrap(), Some(second));
    assert_eq!(ledger.subdir_state("noarch").await.unwrap(), Some(first));
}

/// Who lost the lease without noticing undoes nothing of what the next one wrote.
pub async fn the_state_of_a_lower_plan_never_replaces_that_of_a_higher(ledger: Arc<dyn Ledger>) {
    let of = |plan, records| SubdirState {
        plan,
        records,
        ..SubdirState::default()
    };
    for (state, settled) in [
        (of(1_790_000_000_007, 1), Settled::Accepted),
        (of(1_790_000_000_007, 2), Settled::Accepted),
        (of(1_790_000_000_009, 3), Settled::Accepted),
        (
            of(1_790_000_000_008, 4),
            Settled::Superseded {
                by: 1_790_000_000_009,
            },
        ),
    ] {
        let set = ledger.set_subdir_state("linux-64", &state).await.unwrap();
        assert_eq!(set, settled, "{state:?}");
    }
    let known = ledger.subdir_state("linux-64").await.unwrap();
    assert_eq!(known, Some(of(1_790_000_000_009, 3)));
}

/// Also within one millisecond.
pub async fn plan_numbers_only_rise(ledger: Arc<dyn Ledger>) {
    let mut last = clock::now_ms() - 1;
    for _ in 0..20 {
        let plan = ledger.begin_plan("linux-64").await.unwrap();
        assert!(plan > last, "{plan} after {last}");
        last = plan;
    }
}

/// Two coordinators never share a number.
pub async fn plans_begun_at_once_have_different_numbers(ledger: Arc<dyn Ledger>) {
    let mut begun = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let ledger = Arc::clone(&ledger);
        begun.spawn(async move { ledger.begin_plan("linux-64").await.unwrap() });
    }
    let plans: HashSet<u64> = begun.join_all().await.into_iter().collect();
    assert_eq!(plans.len(), 32);
}
