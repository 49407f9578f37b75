//! Ledgers that cannot be used: of a later version, cut off, no ledger at all, or in another run's hands.

use std::fs;
use std::path::{Path, PathBuf};

use mirror_e2e::stage::Stage;
use mirror_kit::channel::bulk;
use mirror_kit::fake_registry::{Kind, When};
use redb::{Database, TableDefinition};

use crate::support::{assert_says, shown};

/// A mirrored channel, and its ledger.
async fn mirrored() -> (Stage, PathBuf) {
    let stage = Stage::registry(|dir| bulk(dir, 5, 3_000)).await;
    stage.run().run().await.assert_code(0);
    let ledger = ledger_of(&stage);
    (stage, ledger)
}

/// The only ledger of the stage's home.
fn ledger_of(stage: &Stage) -> PathBuf {
    let folder = fs::read_dir(stage.home.path().join("state/conda-oci")).unwrap();
    let mut ledgers: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    ledgers.retain(|path| path.extension().is_some_and(|ending| ending == "redb"));
    assert_eq!(ledgers.len(), 1, "{ledgers:?}");
    ledgers.remove(0)
}

/// The run refuses this ledger so, asks and changes nothing, and completes without a download when the ledger is moved
/// away, as the message says.
async fn assert_refused(stage: &Stage, ledger: &Path, parts: &[&str]) {
    let (before, downloads) = (fs::read(ledger).unwrap(), stage.downloads());
    stage.fake().log().clear();
    let finished = stage.run().run().await;
    finished.assert_code(2);
    let mut parts = parts.to_vec();
    let path = shown(ledger);
    parts.push(&path);
    assert_says(&finished, &parts);
    assert_eq!(stage.fake().log().total(), 0, "{}", stage.log());
    assert!(fs::read(ledger).unwrap() == before, "it was changed");

    fs::rename(ledger, ledger.with_extension("old")).unwrap();
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    assert_eq!(stage.downloads(), downloads, "nothing is downloaded again");
}

/// Writes the version of its format into a ledger.
fn set_format(ledger: &Path, format: &str) {
    let database = Database::open(ledger).unwrap();
    let writing = database.begin_write().unwrap();
    let meta = TableDefinition::<&str, &str>::new("meta");
    let mut table = writing.open_table(meta).unwrap();
    let before = table.insert("schema", format).unwrap();
    assert!(before.is_some(), "its format stands somewhere else now");
    drop(before);
    drop(table);
    writing.commit().unwrap();
}

#[tokio::test]
async fn a_ledger_of_a_later_version_is_left_to_the_later_program() {
    let (stage, ledger) = mirrored().await;
    set_format(&ledger, "77");
    stage.fake().log().clear();
    let finished = stage.run().run().await;
    finished.assert_code(2);
    let path = shown(&ledger);
    let says = [&path, "format 77", "newer program", "move the file away"];
    assert_says(&finished, &says);
    assert_eq!(stage.fake().log().total(), 0, "{}", stage.log());
    // The later program finds in it what was there.
    set_format(&ledger, "1");
    stage.run().run().await.assert_code(0);
    assert_eq!(stage.fake().log().writes(), 0, "{}", stage.log());
    assert_eq!(stage.fake().log().total(), 4, "two looks for each subdir");
}

#[tokio::test]
async fn a_ledger_that_was_cut_off_is_called_damaged_and_is_nothing_to_mourn() {
    let (stage, ledger) = mirrored().await;
    let bytes = fs::read(&ledger).unwrap();
    fs::write(&ledger, &bytes[..bytes.len() / 2]).unwrap();
    let says = ["damaged", "move the file away", "the registry is the truth"];
    assert_refused(&stage, &ledger, &says).await;
}

#[tokio::test]
async fn another_file_in_the_ledgers_place_is_not_overwritten() {
    let (stage, ledger) = mirrored().await;
    fs::write(&ledger, "somebody's notes").unwrap();
    assert_refused(&stage, &ledger, &["damaged", "move the file away"]).await;
}

#[tokio::test]
async fn a_ledger_in_use_names_the_process_its_command_and_the_file() {
    let stage = Stage::registry(|dir| bulk(dir, 2, 3_000)).await;
    let upload = When::kind(Kind::UploadPut).nth(1);
    let hold = stage.fake().hold(upload);
    let running = stage.run().spawn();
    hold.held().await;
    let ledger = shown(&ledger_of(&stage));
    let process = format!("process {}", running.id().unwrap());
    let asked = stage.fake().log().total();
    let second = stage.run().run().await;
    second.assert_code(2);
    let address = stage.fake().addr().to_string();
    let (channel, command) = (stage.source.url(), "conda-oci mirror of ");
    let says = [
        &ledger,
        "in use by",
        &process,
        command,
        &channel,
        &address,
        "wait for it",
        "--state",
    ];
    assert_says(&second, &says);
    assert_eq!(stage.fake().log().total(), asked, "{}", stage.log());
    hold.release();
    running.wait().await.assert_code(0);
    stage.assert_complete();
}
