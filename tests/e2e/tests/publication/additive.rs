//! Selections add up over runs: a later choice takes nothing back.

use mirror_e2e::stage::Stage;
use mirror_kit::channel::Listing;
use mirror_kit::package::PackageSpec;
use mirror_kit::process::Home;

use crate::support::{file, files, indexed, named};

const NAMES: [&str; 3] = ["a", "b", "c"];

#[tokio::test]
async fn what_one_run_mirrored_stays_in_the_index_of_the_next() {
    let stage = Stage::registry(named(&NAMES)).await;
    stage.run().args(["-p", "a"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a"]));
    stage.run().args(["-p", "b"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "b"]));
    assert_eq!(stage.downloads_of(&file("a")), 1);
    stage.assert_indexes_exact();
    stage.assert_publications_passed();
}

#[tokio::test]
async fn the_same_without_the_first_runs_ledger() {
    let stage = Stage::registry(named(&NAMES)).await;
    stage.run().args(["-p", "a"]).run().await.assert_code(0);
    stage
        .run_in(&Home::new())
        .args(["-p", "b"])
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "b"]));
    assert_eq!(stage.downloads_of(&file("a")), 1);
}

#[tokio::test]
async fn a_new_version_of_what_is_not_selected_any_more_is_not_brought_and_the_old_one_stays() {
    let mut stage = Stage::registry(named(&NAMES)).await;
    stage.run().args(["-p", "a"]).run().await.assert_code(0);
    let newer = PackageSpec::new("a", "2.0", "0");
    stage.channel.add(newer, Listing::indexed()).unwrap();
    stage.run().args(["-p", "b"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "b"]));
}

#[tokio::test]
async fn what_the_channel_takes_away_leaves_the_index_and_stays_in_the_registry() {
    let mut stage = Stage::registry(named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    let removed = stage.channel.remove(&file("b")).unwrap();
    stage.run().run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "c"]));
    let (repository, tag) = stage.place(&removed);
    assert!(stage.view().manifest(&repository, &tag).is_some());
}

#[tokio::test]
async fn new_content_under_an_old_name_is_mirrored_again_and_never_listed_before_it_is_there() {
    let mut stage = Stage::registry(named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    stage.channel.replace(&file("b")).unwrap();
    // A run that does not select it must not list the new hash over the old bytes.
    stage.run().args(["-p", "a"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "c"]));
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
}
