//! What survives between one owner and the next, and files that cannot be opened.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ::redb::Database;
use mirror_runtime::{Disposed, Disposition};

use super::{OWNER, place};
use crate::conformance::{
    LONG, claim, done, granted, granted_after_interruption, settlement, texts,
};
use crate::error::LedgerError;
use crate::ledger::{Claims, Lease, LeaseGrant, Outcomes, Settlement};
use crate::outcome::Recorded;
use crate::redb::RedbLedger;
use crate::redb::tables::META;
use crate::subdir_state::SubdirState;

fn damage(path: &Path) -> String {
    match RedbLedger::open(path, OWNER) {
        Err(error @ LedgerError::Damaged { .. }) => {
            assert_eq!(error.disposition(), Disposition::Local);
            error.to_string()
        }
        Err(other) => panic!("not called damaged: {other}"),
        Ok(_) => panic!("opened"),
    }
}

/// A ledger with enough in it to have many pages, closed in order.
async fn filled(path: &Path) {
    let ledger = RedbLedger::open(path, OWNER).unwrap();
    let outcomes = (0..20_000).map(|n| (format!("p{n}-1-0.conda"), done(1)));
    ledger
        .adopt("linux-64", 1, outcomes.collect())
        .await
        .unwrap();
}

#[tokio::test]
async fn everything_but_leases_survives_a_reopening() {
    let (_folder, path) = place();
    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    let id = ledger.pulse("linux-64").await.unwrap().id;
    let plan = ledger.begin_plan("linux-64").await.unwrap();
    let files = [("a-1-0.conda", done(1))];
    ledger.settle(settlement(plan, &files)).await.unwrap();
    let state = SubdirState {
        floor: 9,
        ..SubdirState::default()
    };
    ledger.set_subdir_state("linux-64", &state).await.unwrap();
    ledger
        .acquire_lease("linux-64", "first", LONG)
        .await
        .unwrap();
    drop(ledger);

    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    assert_eq!(ledger.pulse("linux-64").await.unwrap().id, id);
    assert!(ledger.begin_plan("linux-64").await.unwrap() > plan);
    let asked = texts(&["a-1-0.conda"]);
    let found = ledger.get_many("linux-64", &asked).await.unwrap();
    let outcome = done(1);
    assert_eq!(found, [Some(Recorded { plan, outcome })]);
    assert_eq!(ledger.subdir_state("linux-64").await.unwrap(), Some(state));
    let lease = ledger.acquire_lease("linux-64", "second", LONG).await;
    assert_eq!(lease.unwrap(), LeaseGrant::Granted);
}

#[tokio::test]
async fn two_ledgers_have_different_ids() {
    let ((_one, one), (_two, two)) = (place(), place());
    let one = RedbLedger::open(one, OWNER).unwrap();
    let two = RedbLedger::open(two, OWNER).unwrap();
    assert_ne!(
        one.pulse("linux-64").await.unwrap().id,
        two.pulse("linux-64").await.unwrap().id
    );
}

#[tokio::test]
async fn claims_of_a_dead_owner_end_and_their_builds_stay_marked_until_finished() {
    let (_folder, path) = place();
    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    assert_eq!(claim(&ledger, 5, "w", LONG).await, granted(1));
    let freed = ledger.claim("linux-64", "freed", 5, "w", LONG).await;
    assert_eq!(freed.unwrap(), granted(1));
    ledger
        .release("linux-64", "freed", 5, "w", true)
        .await
        .unwrap();
    drop(ledger);

    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    let stems = texts(&["a-1-0", "freed"]);
    assert_eq!(
        ledger.claimed("linux-64", &stems).await.unwrap(),
        [false, false]
    );
    let freed = ledger.claim("linux-64", "freed", 5, "w", LONG).await;
    assert_eq!(freed.unwrap(), granted(2));
    drop(ledger);

    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    let again = claim(&ledger, 5, "w", LONG).await;
    assert_eq!(again, granted_after_interruption(2));
    let part = Settlement {
        finished: false,
        ..settlement(5, &[("a-1-0.conda", done(1))])
    };
    ledger.settle(part).await.unwrap();
    let again = claim(&ledger, 6, "w", LONG).await;
    assert_eq!(again, granted_after_interruption(1));
    let files = [("a-1-0.tar.bz2", done(2))];
    ledger.settle(settlement(6, &files)).await.unwrap();
    drop(ledger);

    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    assert_eq!(claim(&ledger, 6, "w", LONG).await, granted(1));
}

#[tokio::test]
async fn a_claim_that_had_expired_before_the_crash_is_marked_too() {
    let (_folder, path) = place();
    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    assert_eq!(claim(&ledger, 5, "w", Duration::ZERO).await, granted(1));
    drop(ledger);
    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    let again = claim(&ledger, 5, "w", LONG).await;
    assert_eq!(again, granted_after_interruption(2));
}

#[tokio::test]
async fn a_ledger_of_a_later_version_is_named_and_left_alone() {
    let (_folder, path) = place();
    filled(&path).await;
    let set_schema = |schema: &str| {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("schema", schema).unwrap();
        drop(meta);
        transaction.commit().unwrap();
    };
    set_schema("7");
    for _ in 0..2 {
        let error = RedbLedger::open(&path, OWNER).unwrap_err();
        let wanted = LedgerError::NewerVersion {
            path: path.clone(),
            found: 7,
            known: 1,
        };
        assert_eq!(error, wanted);
    }
    set_schema("1");
    assert!(RedbLedger::open(&path, OWNER).is_ok());
}

#[tokio::test]
async fn a_file_cut_off_anywhere_is_damaged_and_told_to_be_moved_away() {
    let (_folder, path) = place();
    filled(&path).await;
    let whole = fs::read(&path).unwrap();
    let length = whole.len();
    for kept in [5, 9, 200, 4095, 4096, length / 4, length / 2, length - 1] {
        fs::write(&path, &whole[..kept]).unwrap();
        let text = damage(&path);
        assert!(text.contains("one.redb"), "{text}");
        assert!(text.contains("move the file away"), "{text}");
    }
    fs::write(&path, &whole).unwrap();
    assert!(RedbLedger::open(&path, OWNER).is_ok());
}

#[tokio::test]
async fn changed_bytes_are_found_at_opening() {
    let (_folder, path) = place();
    filled(&path).await;
    let mut bytes = fs::read(&path).unwrap();
    let name = b"p10000-1-0.conda";
    let places: Vec<usize> = (0..bytes.len() - name.len())
        .filter(|at| bytes[*at..].starts_with(name))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] = b'q';
    }
    fs::write(&path, &bytes).unwrap();
    damage(&path);
}

#[test]
fn a_file_that_is_no_ledger_is_damaged() {
    let (_folder, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "a text").unwrap();
    damage(&path);

    fs::remove_file(&path).unwrap();
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let other = ::redb::TableDefinition::<u64, u64>::new("other");
    drop(transaction.open_table(other).unwrap());
    transaction.commit().unwrap();
    drop(database);
    assert!(damage(&path).contains("no ledger"));
}

#[tokio::test]
async fn a_ledger_whose_making_was_cut_off_is_made_anew() {
    let (_folder, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Nothing yet; its length set; its header written but for the mark; tables not yet made.
    let header = || {
        drop(Database::create(&path).unwrap());
        let mut bytes = fs::read(&path).unwrap();
        bytes[..9].fill(0);
        bytes[4096..].fill(0);
        bytes
    };
    for left in [Vec::new(), vec![0; 1 << 20], header()] {
        fs::write(&path, left).unwrap();
        let ledger = RedbLedger::open(&path, OWNER).unwrap();
        assert!(!ledger.pulse("linux-64").await.unwrap().id.is_empty());
        drop(ledger);
        fs::remove_file(&path).unwrap();
    }
    drop(Database::create(&path).unwrap());
    assert!(RedbLedger::open(&path, OWNER).is_ok());
}

#[test]
fn a_ledger_whose_folder_cannot_be_made_says_where() {
    let (folder, _) = place();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = RedbLedger::open(file.join("one.redb"), OWNER).unwrap_err();
    assert!(matches!(&error, LedgerError::Open { path, .. } if *path == file));
    assert_eq!(error.disposition(), Disposition::Local);
}
