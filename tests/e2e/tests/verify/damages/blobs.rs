//! Blobs of packages that are gone or have other bytes.

use mirror_e2e::stored::{INFO, INFO_INDEX, PACKAGE_CONDA};
use serde_json::json;

use super::Scene;
use crate::support::{found, repaired, report, verify};

#[tokio::test]
async fn the_blob_of_a_package_that_was_deleted() {
    let scene = Scene::new().await;
    scene.delete_layer(&scene.repository("one"), "1.0-0", PACKAGE_CONDA);
    scene
        .is_found_and_mended(&[], &["blob-missing one-1.0-0.conda"])
        .await;
}

#[tokio::test]
async fn the_blobs_of_info_that_were_deleted() {
    let scene = Scene::new().await;
    scene.delete_layer(&scene.repository("one"), "1.0-0", INFO);
    scene.delete_layer(&scene.repository("one"), "1.0-0", INFO_INDEX);
    let twice = "blob-missing one-1.0-0.conda";
    scene.is_found_and_mended(&[], &[twice, twice]).await;
}

#[tokio::test]
async fn the_config_of_a_repository_that_was_deleted() {
    let scene = Scene::new().await;
    let many = scene.repository("many");
    let manifest = scene.stage.view().manifest_json(&many, "1.0-0").unwrap();
    let digest = manifest["config"]["digest"].as_str().unwrap();
    assert!(scene.stage.view().delete_blob(&many, digest));
    // All builds of the repository share it: it is named once.
    let seen = report(&scene.stage, verify(&scene.stage), 1).await;
    let damages = found(&seen, "damage");
    assert_eq!(damages.len(), 1, "{seen:#}");
    assert!(damages[0].starts_with("blob-missing many-"), "{seen:#}");
    // Of which of its builds it is said depends on who looks first.
    let mended = report(&scene.stage, verify(&scene.stage).arg("--repair"), 0).await;
    assert_eq!(repaired(&mended), 1, "{mended:#}");
    assert!(scene.stage.view().blob(&many, digest).is_some());
    report(&scene.stage, verify(&scene.stage), 0).await;
    scene.is_read_by_a_client().await;
}

#[tokio::test]
async fn bytes_that_were_changed_are_found_only_by_reading_them() {
    let scene = Scene::new().await;
    let one = scene.repository("one");
    let digest = scene.digest(&one, "1.0-0", PACKAGE_CONDA);
    let view = scene.stage.view();
    let mut bytes = view.blob(&one, &digest).unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert!(view.corrupt_blob(&one, &digest, bytes));
    report(&scene.stage, verify(&scene.stage), 0).await;
    scene
        .is_found_and_mended(&["--deep"], &["blob-bytes one-1.0-0.conda"])
        .await;
}

#[tokio::test]
async fn an_info_index_that_is_no_json_is_found_only_by_reading_it() {
    let scene = Scene::new().await;
    let one = scene.repository("one");
    let digest = scene.stage.view().put_blob(&one, &b"{not json"[..]);
    scene.edit(&one, "1.0-0", |manifest| {
        let layers = manifest["layers"].as_array_mut().unwrap().iter_mut();
        for layer in layers.filter(|layer| layer["mediaType"] == INFO_INDEX) {
            layer["digest"] = json!(digest);
            layer["size"] = json!(9);
        }
    });
    report(&scene.stage, verify(&scene.stage), 0).await;
    scene
        .is_found_and_mended(&["--deep"], &["info-unreadable one-1.0-0.conda"])
        .await;
}
