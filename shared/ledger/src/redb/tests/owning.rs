//! One process at a time.

use std::fs;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{OWNER, place};
use crate::conformance::{
    LONG, claim, done, granted, granted_after_interruption, settlement, texts,
};
use crate::error::LedgerError;
use crate::ledger::Outcomes;
use crate::redb::RedbLedger;
use crate::redb::owner::sidecar;

fn owner_in_the_way(path: &std::path::Path) -> String {
    match RedbLedger::open(path, "second") {
        Err(LedgerError::LockedBy { owner, .. }) => owner,
        Err(other) => panic!("not called locked: {other}"),
        Ok(_) => panic!("opened twice"),
    }
}

#[test]
fn a_second_opening_names_the_owner_and_disturbs_nothing() {
    let (_folder, path) = place();
    let first = RedbLedger::open(&path, OWNER).unwrap();
    let wanted = format!("process {}: {OWNER}", std::process::id());
    assert_eq!(owner_in_the_way(&path), wanted);
    assert_eq!(owner_in_the_way(&path), wanted);
    drop(first);
    assert!(RedbLedger::open(&path, "second").is_ok());
}

#[test]
fn a_sidecar_that_was_left_over_is_harmless() {
    let (_folder, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let long = format!("process 1: {}\nand more\n", "long ".repeat(500));
    fs::write(sidecar(&path), long).unwrap();
    let _first = RedbLedger::open(&path, "short\nname").unwrap();
    let wanted = format!("process {}: short name", std::process::id());
    assert_eq!(owner_in_the_way(&path), wanted);
    let kept = fs::read_to_string(sidecar(&path)).unwrap();
    assert_eq!(kept, format!("{wanted}\n"));
}

#[test]
fn a_ledger_whose_sidecar_was_removed_is_still_locked() {
    let (_folder, path) = place();
    let _first = RedbLedger::open(&path, OWNER).unwrap();
    fs::remove_file(sidecar(&path)).unwrap();
    assert_eq!(owner_in_the_way(&path), "another process");
}

const CHILD: &str = "LEDGER_TEST_CHILD_OPENS";

#[tokio::test]
#[ignore = "the other half of the next test, which starts it in a process of its own"]
async fn child_that_keeps_a_ledger_open() {
    let path = std::env::var_os(CHILD).expect("the test that starts this one says which ledger");
    let ledger = RedbLedger::open(path, "the child").unwrap();
    let files = [("a-1-0.conda", done(1))];
    ledger.settle(settlement(1, &files)).await.unwrap();
    assert_eq!(claim(&ledger, 2, "w", LONG).await, granted(1));
    // The harness leaves its own line open.
    #[allow(clippy::print_stdout)]
    {
        println!("\nopen");
    }
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_process_leaves_its_durable_outcomes_a_mark_and_no_lock() {
    let (_folder, path) = place();
    let name = "redb::tests::owning::child_that_keeps_a_ledger_open";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap();
        if line.expect("the child opens the ledger") == "open" {
            break;
        }
    }
    let wanted = format!("process {}: the child", child.id().unwrap());
    assert_eq!(owner_in_the_way(&path), wanted);
    child.kill().await.unwrap();

    let ledger = RedbLedger::open(&path, OWNER).unwrap();
    let asked = texts(&["a-1-0.conda"]);
    let found = ledger.get_many("linux-64", &asked).await.unwrap();
    assert!(matches!(&found[..], [Some(recorded)] if recorded.plan == 1));
    let again = claim(&ledger, 2, "w", LONG).await;
    assert_eq!(again, granted_after_interruption(2));
}
