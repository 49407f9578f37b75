//! Indexes that are gone, stale, or ahead of their files.

use mirror_e2e::stored::{PACKAGE_CONDA, REPODATA, REPODATA_ZST, SHARD_INDEX};
use serde_json::json;

use super::Scene;

#[tokio::test]
async fn a_compressed_index_that_is_out_of_date() {
    let scene = Scene::new().await;
    let index = scene.index();
    let (_, json) = scene
        .stage
        .view()
        .layer(&index, "latest", REPODATA)
        .unwrap();
    let stale = String::from_utf8(json.to_vec())
        .unwrap()
        .replace("one-1.0-0", "one-0.9-0");
    let stale = zstd::encode_all(stale.as_bytes(), 3).unwrap();
    let (digest, size) = (
        scene.stage.view().put_blob(&index, stale.clone()),
        stale.len(),
    );
    scene.edit(&index, "latest", |manifest| {
        let layers = manifest["layers"].as_array_mut().unwrap().iter_mut();
        for layer in layers.filter(|layer| layer["mediaType"] == REPODATA_ZST) {
            (layer["digest"], layer["size"]) = (json!(digest), json!(size));
        }
    });
    scene
        .is_found_and_mended(&[], &["zst-differs repodata.json.zst"])
        .await;
}

#[tokio::test]
async fn the_blobs_of_the_index_that_were_deleted_or_changed() {
    let scene = Scene::new().await;
    let index = scene.index();
    scene.delete_layer(&index, "latest", REPODATA_ZST);
    let shards = scene.digest(&index, "latest", SHARD_INDEX);
    let view = scene.stage.view();
    let size = usize::try_from(view.blob_size(&index, &shards).unwrap()).unwrap();
    assert!(view.corrupt_blob(&index, &shards, vec![0; size]));
    scene
        .is_found_and_mended(
            &[],
            &[
                "blob-bytes repodata_shards.msgpack.zst",
                "blob-missing repodata.json.zst",
            ],
        )
        .await;
}

#[tokio::test]
async fn a_plain_index_that_was_deleted_is_told_from_the_compressed_one() {
    let scene = Scene::new().await;
    scene.delete_layer(&scene.index(), "latest", REPODATA);
    scene.delete_layer(&scene.repository("one"), "1.0-0", PACKAGE_CONDA);
    scene
        .is_found_and_mended(
            &[],
            &["blob-missing one-1.0-0.conda", "blob-missing repodata.json"],
        )
        .await;
}

#[tokio::test]
async fn an_index_without_one_of_its_forms() {
    let scene = Scene::new().await;
    scene.edit(&scene.index(), "latest", |manifest| {
        manifest["layers"].as_array_mut().unwrap().pop();
    });
    scene
        .is_found_and_mended(&[], &["index-incomplete repodata_shards.msgpack.zst"])
        .await;
}

#[tokio::test]
async fn an_index_that_was_deleted() {
    let scene = Scene::new().await;
    assert!(scene.stage.view().delete_manifest(&scene.index(), "latest"));
    scene
        .is_found_and_mended(&[], &["index-missing repodata.json"])
        .await;
}

#[tokio::test]
async fn an_index_that_is_ahead_of_its_files() {
    let scene = Scene::new().await;
    for name in ["one", "many"] {
        scene
            .stage
            .view()
            .delete_repository(&scene.repository(name));
    }
    scene
        .is_found_and_mended(
            &[],
            &[
                "manifest-missing many-1.0-0.conda",
                "manifest-missing many-2.0-0.conda",
                "manifest-missing one-1.0-0.conda",
            ],
        )
        .await;
}
