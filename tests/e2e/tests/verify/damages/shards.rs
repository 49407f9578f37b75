//! Shards that are gone, have other records, or are not listed.

use mirror_e2e::stored::{SHARD, SHARD_INDEX};
use serde_json::json;

use super::Scene;

#[tokio::test]
async fn shards_that_were_deleted() {
    let scene = Scene::new().await;
    let shards = scene.shards();
    let (one, two) = (scene.shard_of("one"), scene.shard_of("two"));
    assert!(scene.stage.view().delete_manifest(&shards, &one));
    scene.delete_layer(&shards, &two, SHARD);
    scene
        .is_found_and_mended(&[], &["shard-missing one", "shard-missing two"])
        .await;
}

#[tokio::test]
async fn a_shard_with_other_records_and_one_that_is_not_listed() {
    let scene = Scene::new().await;
    let (index, shards) = (scene.index(), scene.shards());
    let view = scene.stage.view();
    let (one, two) = (scene.shard_of("one"), scene.shard_of("two"));
    // The name `one` is given the shard of `two`, and `many` none.
    let (_, bytes) = view.layer(&index, "latest", SHARD_INDEX).unwrap();
    let listed = crate::support::edited_shard_index(&bytes, |hashes| {
        let other = hashes["two"].clone();
        hashes.insert("one".to_owned(), other);
        hashes.remove("many");
        let unknown = hashes["two"].clone();
        hashes.insert("nobody".to_owned(), unknown);
    });
    assert_ne!(one, two);
    assert!(view.manifest(&shards, &two).is_some());
    let (digest, size) = (view.put_blob(&index, listed.clone()), listed.len());
    scene.edit(&index, "latest", |manifest| {
        let layers = manifest["layers"].as_array_mut().unwrap().iter_mut();
        for layer in layers.filter(|layer| layer["mediaType"] == SHARD_INDEX) {
            (layer["digest"], layer["size"]) = (json!(digest), json!(size));
        }
    });
    scene
        .is_found_and_mended(
            &[],
            &[
                "shard-differs one",
                "shard-missing many",
                "shard-unknown nobody",
            ],
        )
        .await;
}
