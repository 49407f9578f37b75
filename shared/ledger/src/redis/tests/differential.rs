//! The scripts and the embedded ledger come to the same answers, whatever is done in whatever order.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::server_with_ledger;
use crate::ledger::{Claim, Ledger, Settled, Settlement};
use crate::outcome::{Failure, FailureKind, FileOutcome, Recorded};
use crate::redb::RedbLedger;
use crate::redis::RedisLedger;
use crate::tally::{Counts, Tally};

const SUBDIR: &str = "noarch";
const FILES: [&str; 4] = ["a.conda", "a.tar.bz2", "b.conda", "b.tar.bz2"];
const STEMS: [&str; 2] = ["a-1-0", "b-1-0"];

/// One that outlasts the test, and one that is over at once: what comes between depends on clocks.
const TTLS: [Duration; 2] = [Duration::from_secs(600), Duration::ZERO];

#[derive(Debug, Clone)]
enum Act {
    Claim(usize, u64, String, usize),
    Renew(usize, u64, String, usize),
    Release(usize, u64, String, bool),
    Settle(Settlement),
    Adopt(u64, Vec<(String, FileOutcome)>),
    Forget(usize),
    Begin(u64, u64),
    End(u64),
    Pause(bool),
    Cancel(u64),
}

/// What a ledger answers, without times.
#[derive(Debug, PartialEq)]
enum Told {
    Claim(Claim),
    Renewed(bool),
    Settled(Settled),
    Count(u64),
    Nothing,
}

/// Everything a ledger can be asked.
#[derive(Debug, PartialEq)]
struct Seen {
    outcomes: Vec<Option<Recorded>>,
    failures: Vec<(String, Recorded)>,
    count: u64,
    claimed: Vec<bool>,
    tally: Option<Tally>,
    has_ended: bool,
    has_forgotten: bool,
}

async fn act(ledger: &dyn Ledger, act: Act) -> Told {
    match act {
        Act::Claim(stem, plan, worker, ttl) => {
            let claim = ledger.claim(SUBDIR, STEMS[stem], plan, &worker, TTLS[ttl]);
            Told::Claim(match claim.await.unwrap() {
                Claim::Busy { worker, .. } => Claim::Busy {
                    worker,
                    expires_ms: 0,
                },
                other => other,
            })
        }
        Act::Renew(stem, plan, worker, ttl) => {
            let renewed = ledger.renew(SUBDIR, STEMS[stem], plan, &worker, TTLS[ttl]);
            Told::Renewed(renewed.await.unwrap())
        }
        Act::Release(stem, plan, worker, counted) => {
            let released = ledger.release(SUBDIR, STEMS[stem], plan, &worker, counted);
            released.await.unwrap();
            Told::Nothing
        }
        Act::Settle(settlement) => Told::Settled(ledger.settle(settlement).await.unwrap()),
        Act::Adopt(plan, files) => Told::Count(ledger.adopt(SUBDIR, plan, files).await.unwrap()),
        Act::Forget(file) => {
            let files = [FILES[file].to_owned()];
            Told::Count(ledger.forget(SUBDIR, &files).await.unwrap())
        }
        Act::Begin(plan, floor) => {
            let begun = ledger.begin_tally(SUBDIR, plan, floor, 4, 1 << 50);
            begun.await.unwrap();
            Told::Nothing
        }
        Act::End(plan) => {
            let counts = Counts {
                done: 1,
                ..Counts::default()
            };
            ledger.end_tally(SUBDIR, plan, counts).await.unwrap();
            Told::Nothing
        }
        Act::Pause(paused) => {
            ledger.set_paused(SUBDIR, paused).await.unwrap();
            Told::Nothing
        }
        Act::Cancel(plan) => {
            ledger.cancel(SUBDIR, plan).await.unwrap();
            Told::Nothing
        }
    }
}

async fn see(ledger: &dyn Ledger) -> Seen {
    let tally = ledger.tally(SUBDIR).await.unwrap();
    Seen {
        outcomes: ledger
            .get_many(SUBDIR, &FILES.map(str::to_owned))
            .await
            .unwrap(),
        failures: ledger.failures(SUBDIR, None, 9).await.unwrap(),
        count: ledger.count_failures(SUBDIR).await.unwrap(),
        claimed: ledger
            .claimed(SUBDIR, &STEMS.map(str::to_owned))
            .await
            .unwrap(),
        has_ended: tally.as_ref().is_some_and(|tally| tally.ended_ms.is_some()),
        tally: tally.map(|tally| Tally {
            started_ms: 0,
            ended_ms: None,
            ..tally
        }),
        has_forgotten: ledger.has_forgotten(SUBDIR).await.unwrap(),
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let worker = || prop_oneof![Just("w".to_owned()), Just("x y".to_owned())];
    let (stem, plan, ttl) = (|| 0..STEMS.len(), || 4..8u64, || 0..TTLS.len());
    let sha256 = || (1..3u8).prop_map(|number| [number; 32]);
    let failed = |sha256| match crate::conformance::failed() {
        FileOutcome::Failed(failure) => FileOutcome::Failed(Failure { sha256, ..failure }),
        done => done,
    };
    let looked_for = |failed| match failed {
        FileOutcome::Failed(failure) => FileOutcome::Failed(Failure {
            kind: FailureKind::Absent,
            ..failure
        }),
        done => done,
    };
    let outcome = || {
        prop_oneof![
            (sha256(), any::<bool>()).prop_map(|(sha256, md5)| FileOutcome::Done {
                sha256,
                md5: md5.then_some([7; 16]),
                size: 1 << 20,
            }),
            proptest::option::of(sha256()).prop_map(failed),
            proptest::option::of(sha256()).prop_map(move |sha256| looked_for(failed(sha256))),
        ]
    };
    // Of a settlement each file is there once.
    let files = move || {
        let outcomes = proptest::array::uniform4(proptest::option::of(outcome()));
        outcomes.prop_map(|outcomes| {
            let named = FILES.iter().zip(outcomes);
            named
                .filter_map(|(file, outcome)| Some(((*file).to_owned(), outcome?)))
                .collect::<Vec<_>>()
        })
    };
    let settle = (stem(), plan(), worker(), files(), any::<(bool, bool)>()).prop_map(
        |(stem, plan, worker, files, (finished, counted))| {
            Act::Settle(Settlement {
                subdir: SUBDIR.to_owned(),
                stem: STEMS[stem].to_owned(),
                worker,
                plan,
                files,
                finished,
                counted,
            })
        },
    );
    let claim = (stem(), plan(), worker(), ttl()).prop_map(|(a, b, c, d)| Act::Claim(a, b, c, d));
    let renew = (stem(), plan(), worker(), ttl()).prop_map(|(a, b, c, d)| Act::Renew(a, b, c, d));
    let release = (stem(), plan(), worker(), any::<bool>())
        .prop_map(|(stem, plan, worker, counted)| Act::Release(stem, plan, worker, counted));
    let act = prop_oneof![
        6 => claim,
        2 => renew,
        3 => release,
        5 => settle,
        1 => (plan(), files()).prop_map(|(plan, files)| Act::Adopt(plan, files)),
        1 => (0..FILES.len()).prop_map(Act::Forget),
        2 => (plan(), 3..8u64).prop_map(|(plan, floor)| Act::Begin(plan, floor)),
        1 => plan().prop_map(Act::End),
        1 => any::<bool>().prop_map(Act::Pause),
        1 => (0..5u64).prop_map(Act::Cancel),
    ];
    proptest::collection::vec(act, 1..40)
}

async fn compare(redis: &RedisLedger, acts: Vec<Act>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let redb = RedbLedger::open(folder.path().join("one.redb"), "test").unwrap();
    for (number, done) in acts.iter().enumerate() {
        let (told, model) = (
            act(redis, done.clone()).await,
            act(&redb, done.clone()).await,
        );
        prop_assert_eq!(told, model, "act {} of {:#?}", number, acts);
        prop_assert_eq!(
            see(redis).await,
            see(&redb).await,
            "after act {} of {:#?}",
            number,
            acts
        );
    }
    Ok(())
}

#[test]
fn random_transitions_have_the_answers_of_the_embedded_ledger() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, ledger) = runtime.block_on(server_with_ledger());
    let config = Config {
        cases: 96,
        ..Config::default()
    };
    let compared = TestRunner::new(config).run(&acts(), |acts| {
        server.flush().unwrap();
        runtime.block_on(compare(&ledger, acts))
    });
    if let Err(error) = compared {
        panic!("{error}");
    }
}
