//! `repodata.json` and `repodata.json.zst` that differ: a run is about one of them, whole.

use std::collections::BTreeSet;
use std::fs;

use mirror_e2e::stage::Stage;
use mirror_kit::fake_channel::Fault;
use mirror_kit::fake_channel::Times;
use serde_json::Value;

use crate::support::{self, BAD, GOOD};

const PLAIN: &str = "repodata.json";
const PACKED: &str = "repodata.json.zst";

/// Three files, of which the packed index does not list one of [`GOOD`] and the plain one not the other.
async fn stage() -> Stage {
    let stage = support::stage().await;
    let folder = stage.channel.dir.join("linux-64");
    let index: Value = serde_json::from_slice(&fs::read(folder.join(PLAIN)).unwrap()).unwrap();
    let without = |file: &str| {
        let mut index = index.clone();
        let records = index["packages.conda"].as_object_mut().unwrap();
        assert!(records.remove(file).is_some());
        serde_json::to_vec(&index).unwrap()
    };
    fs::write(folder.join(PLAIN), without(GOOD[0])).unwrap();
    let packed = zstd::encode_all(&*without(GOOD[1]), 1).unwrap();
    fs::write(folder.join(PACKED), packed).unwrap();
    stage
}

/// Exactly these stand in the index and at the destination.
fn assert_mirrored(stage: &Stage, files: [&str; 2]) {
    let files = BTreeSet::from(files.map(str::to_owned));
    assert_eq!(stage.view().index_files(&stage.subdir("linux-64")), files);
    assert_eq!(stage.held(&stage.view()), files);
    stage.assert_indexes_exact();
    stage.assert_publications_passed();
}

/// How often this form of linux-64's index was asked for.
fn asked(stage: &Stage, form: &str) -> usize {
    let path = format!("/linux-64/{form}");
    stage.source.count(|request| request.path.ends_with(&path))
}

#[tokio::test]
async fn the_packed_form_is_taken_and_the_plain_one_not_looked_at() {
    let stage = stage().await;
    for _ in 0..2 {
        stage.run().run().await.assert_code(0);
        assert_mirrored(&stage, [BAD, GOOD[0]]);
    }
    assert_eq!((asked(&stage, PACKED), asked(&stage, PLAIN)), (2, 0));
    let clean = mirror_kit::process::Home::new();
    stage.run_in(&clean).run().await.assert_code(0);
    assert_mirrored(&stage, [BAD, GOOD[0]]);
    assert_eq!(asked(&stage, PLAIN), 0);
}

#[tokio::test]
async fn a_channel_without_the_packed_form_is_mirrored_by_the_plain_one() {
    let stage = stage().await;
    fs::remove_file(stage.channel.dir.join("linux-64").join(PACKED)).unwrap();
    stage.run().run().await.assert_code(0);
    assert_mirrored(&stage, [BAD, GOOD[1]]);
}

#[tokio::test]
async fn a_packed_form_that_is_damaged_is_not_replaced_by_the_plain_one() {
    let stage = stage().await;
    stage.run().run().await.assert_code(0);
    let index = format!("linux-64/{PACKED}");
    stage.source.fault(&index, Fault::WrongBytes, Times::Always);
    let finished = stage.run().arg("--retry-failed").run().await;
    finished.assert_code(2);
    assert!(finished.stderr.contains(&index), "{}", finished.to_text());
    assert_eq!(asked(&stage, PLAIN), 0);
    assert_eq!(
        stage.view().index_files(&stage.subdir("linux-64")),
        BTreeSet::from([BAD.to_owned(), GOOD[0].to_owned()])
    );
}

#[tokio::test]
async fn a_run_that_goes_on_where_one_stopped_takes_the_form_of_its_own_index() {
    // Killed with the packed form, gone on with the plain one: what only the former listed is held, and not listed.
    let stage = stage().await;
    let killed = stage.run().kill_at_nth("after-manifest", 2).run().await;
    killed.assert_killed();
    fs::remove_file(stage.channel.dir.join("linux-64").join(PACKED)).unwrap();
    stage.run().run().await.assert_code(0);
    let listed = BTreeSet::from([BAD, GOOD[1]].map(str::to_owned));
    assert_eq!(stage.view().index_files(&stage.subdir("linux-64")), listed);
    stage.assert_indexes_exact();
    stage.assert_publications_passed();
}
