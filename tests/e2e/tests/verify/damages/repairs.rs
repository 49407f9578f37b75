//! What a repair brings again, and what it does without.

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::PACKAGE_CONDA;

use super::Scene;
use crate::support::{repaired, report, verify};

#[tokio::test]
async fn a_ledger_that_was_lost_is_no_hindrance() {
    let scene = Scene::new().await;
    scene.delete_layer(&scene.repository("one"), "1.0-0", PACKAGE_CONDA);
    std::fs::remove_dir_all(scene.stage.home.path().join("state")).unwrap();
    scene
        .is_found_and_mended(&[], &["blob-missing one-1.0-0.conda"])
        .await;
    assert_eq!(scene.stage.downloads_of("two-1.0-0.conda"), 1);
}

#[tokio::test]
async fn what_the_channel_no_longer_has_leaves_the_index() {
    let scene = Scene::new().await;
    let stage = &scene.stage;
    scene.delete_layer(&scene.repository("one"), "1.0-0", PACKAGE_CONDA);
    let file = stage.channel.file("one-1.0-0.conda");
    std::fs::remove_file(stage.channel.dir.join("linux-64").join(&file.file_name)).unwrap();
    let mended = verify(stage).args(["--repair", "--attempts", "1"]);
    let mended = report(stage, mended, 0).await;
    assert_eq!(repaired(&mended), 1, "{mended:#}");
    stage.assert_indexes_exact();
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert!(!listed.contains("one-1.0-0.conda"), "{listed:?}");
    assert_eq!(listed.len(), 4, "{listed:?}");
    report(stage, verify(stage), 0).await;
}

#[tokio::test]
async fn only_what_is_damaged_is_brought_again_and_what_was_not_selected_is_not() {
    let stage = Stage::registry(crate::support::few).await;
    stage
        .run()
        .args(["-p", "one", "-p", "two"])
        .run()
        .await
        .assert_code(0);
    let before = stage.downloads();
    let scene = Scene { stage };
    scene.delete_layer(&scene.repository("one"), "1.0-0", PACKAGE_CONDA);
    report(&scene.stage, verify(&scene.stage).arg("--repair"), 0).await;
    let mut expected = before;
    *expected.get_mut("one-1.0-0.conda").unwrap() += 1;
    assert_eq!(scene.stage.downloads(), expected);
    // The next run of the mirror has nothing to bring.
    scene
        .stage
        .run()
        .args(["-p", "one", "-p", "two"])
        .run()
        .await
        .assert_code(0);
    assert_eq!(scene.stage.downloads(), expected);
}
