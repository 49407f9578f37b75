//! Groups of transitions, and disks that fail.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::redb::{Database, ReadableDatabase};
use mirror_runtime::{Disposed, Disposition};
use tokio::task::JoinSet;

use super::faulty::Disk;
use super::{OWNER, place};
use crate::conformance::{done, settlement, texts};
use crate::error::LedgerError;
use crate::ledger::{Outcomes, Settled, Settlement};
use crate::redb::RedbLedger;
use crate::redb::open::{self, Files};
use crate::redb::tables::OUTCOMES;

fn numbered(n: usize) -> Settlement {
    Settlement {
        stem: format!("p{n}-1-0"),
        ..settlement(1, &[(&format!("p{n}-1-0.conda"), done(1))])
    }
}

fn settle_all(ledger: &Arc<RedbLedger>, count: usize) -> JoinSet<Result<Settled, LedgerError>> {
    let mut settling = JoinSet::new();
    for n in 0..count {
        let ledger = Arc::clone(ledger);
        settling.spawn(async move { ledger.settle(numbered(n)).await });
    }
    settling
}

async fn known(ledger: &RedbLedger, count: usize) -> usize {
    let names: Vec<String> = (0..count).map(|n| format!("p{n}-1-0.conda")).collect();
    let found = ledger.get_many("linux-64", &names).await.unwrap();
    found.iter().flatten().count()
}

fn on(disk: &Arc<Disk>, path: &std::path::Path) -> Arc<RedbLedger> {
    let files = Files::Faulty(Arc::clone(disk));
    let opened = open::open(path, OWNER, files).unwrap();
    Arc::new(RedbLedger::start(opened).unwrap())
}

#[tokio::test]
async fn transitions_at_once_all_complete_and_are_all_there_after_a_reopening() {
    let (_folder, path) = place();
    let ledger = Arc::new(RedbLedger::open(&path, OWNER).unwrap());
    let settled = settle_all(&ledger, 3_000).join_all().await;
    assert!(settled.iter().all(|s| *s == Ok(Settled::Accepted)));
    assert_eq!(known(&ledger, 3_000).await, 3_000);
    drop(ledger);
    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    assert_eq!(known(&ledger, 3_001).await, 3_000);
}

#[tokio::test]
async fn transitions_that_come_while_the_writer_keeps_its_distance_all_complete() {
    let (_folder, path) = place();
    let ledger = Arc::new(RedbLedger::open(&path, OWNER).unwrap());
    let mut sides = JoinSet::new();
    for side in 0..8 {
        let ledger = Arc::clone(&ledger);
        sides.spawn(async move {
            for n in side * 25..(side + 1) * 25 {
                let settled = ledger.settle(numbered(n)).await;
                assert_eq!(settled, Ok(Settled::Accepted));
            }
        });
    }
    sides.join_all().await;
    assert_eq!(known(&ledger, 201).await, 200);
}

#[tokio::test]
async fn a_transition_begun_happens_though_nobody_waits_for_it() {
    let (_folder, path) = place();
    let ledger = Arc::new(RedbLedger::open(&path, OWNER).unwrap());
    let mut settling = settle_all(&ledger, 1);
    tokio::task::yield_now().await;
    settling.abort_all();
    while settling.join_next().await.is_some() {}
    drop(ledger);
    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    assert_eq!(known(&ledger, 1).await, 1);
}

#[tokio::test]
async fn a_full_disk_fails_every_transition_of_the_group_and_the_ledger_goes_on_after() {
    let (_folder, path) = place();
    let disk = Arc::new(Disk::default());
    let ledger = on(&disk, &path);
    assert_eq!(ledger.settle(numbered(0)).await, Ok(Settled::Accepted));
    for _ in 0..2 {
        disk.full.store(true, Ordering::SeqCst);
        for failed in settle_all(&ledger, 50).join_all().await {
            let error = failed.unwrap_err();
            assert!(matches!(error, LedgerError::Write { what: "settle", .. }));
            assert_eq!(error.disposition(), Disposition::Local);
        }
        disk.full.store(false, Ordering::SeqCst);
        assert_eq!(known(&ledger, 50).await, 1);
        assert_eq!(ledger.settle(numbered(0)).await, Ok(Settled::Accepted));
    }
    let settled = settle_all(&ledger, 50).join_all().await;
    assert!(settled.iter().all(|s| *s == Ok(Settled::Accepted)));
    drop(ledger);
    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    assert_eq!(known(&ledger, 50).await, 50);
}

#[tokio::test]
async fn the_text_of_a_write_error_says_what_was_tried_and_what_came_back() {
    let (_folder, path) = place();
    let disk = Arc::new(Disk::default());
    let ledger = on(&disk, &path);
    disk.full.store(true, Ordering::SeqCst);
    let text = ledger.settle(numbered(0)).await.unwrap_err().to_string();
    for part in [
        "settle",
        "one.redb",
        "no storage space",
        "make room",
        "--state",
    ] {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}

#[tokio::test]
async fn an_unreadable_row_fails_only_who_asks_for_it() {
    let (_folder, path) = place();
    let ledger = Arc::new(RedbLedger::open(&path, OWNER).unwrap());
    settle_all(&ledger, 10).join_all().await;
    drop(ledger);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut outcomes = transaction.open_table(OUTCOMES).unwrap();
    let key = ("linux-64", "p3-1-0.conda");
    outcomes.insert(key, &[99, 1][..]).unwrap();
    drop(outcomes);
    transaction.commit().unwrap();
    drop(database.begin_read().unwrap());
    drop(database);

    let ledger = Arc::new(RedbLedger::open(&path, OWNER).unwrap());
    let asked = texts(&["p3-1-0.conda"]);
    let error = ledger.get_many("linux-64", &asked).await.unwrap_err();
    assert!(error.to_string().contains("linux-64/p3-1-0.conda"));
    let settled = settle_all(&ledger, 10).join_all().await;
    let accepted = settled.iter().filter(|s| **s == Ok(Settled::Accepted));
    assert_eq!(accepted.count(), 9);
    let others = texts(&["p2-1-0.conda", "p4-1-0.conda"]);
    let found = ledger.get_many("linux-64", &others).await.unwrap();
    assert_eq!(found.iter().flatten().count(), 2);
}
