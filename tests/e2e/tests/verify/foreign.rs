//! Mirrors that another program made.

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::{REPODATA_ZST, SHARD, SHARD_INDEX};
use mirror_kit::fake_registry::RegistryView;
use serde_json::{Value, json};

use crate::predecessor;
use crate::support::{few, found, index_repository, mirrored, report, verify};

#[tokio::test]
async fn what_the_predecessor_lists_and_does_not_have_is_named_and_brought() {
    let stage = Stage::registry(few).await;
    predecessor::put(&stage, "one-1.0-0.conda");
    predecessor::put_index(&stage);
    let run = || stage.command_in("verify", &stage.home);
    let missing = [
        "manifest-missing many-1.0-0.conda",
        "manifest-missing many-2.0-0.conda",
        "manifest-missing two-1.0-0.conda",
        "manifest-missing two-1.0-0.tar.bz2",
    ];
    let seen = report(&stage, run(), 1).await;
    assert_eq!(found(&seen, "damage"), missing, "{seen:#}");
    let linux = &seen["summary"]["subdirs"][0];
    assert_eq!(
        (&linux["ours"], &linux["records"]),
        (&json!(false), &json!(5))
    );
    report(&stage, run().arg("--repair"), 0).await;
    assert_eq!(stage.downloads_of("one-1.0-0.conda"), 0, "it was there");
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert_eq!(listed.len(), 5, "{listed:?}");
    stage.assert_publications_passed();
}

/// Spells the media types of zstd as the predecessor does, and takes away what tells that the index is ours.
fn as_the_predecessor(view: &RegistryView, repository: &str, tag: &str) {
    let mut manifest = view.manifest_json(repository, tag).unwrap();
    manifest["annotations"] = Value::Null;
    for layer in manifest["layers"].as_array_mut().unwrap() {
        let written = layer["mediaType"].as_str().unwrap();
        if [SHARD, SHARD_INDEX].contains(&written) {
            layer["mediaType"] = json!(format!("{written}d"));
        }
    }
    let config = view.put_blob(repository, Vec::new());
    manifest["config"]["digest"] = json!(config);
    manifest["config"]["size"] = json!(0);
    view.put_manifest(repository, tag, &manifest);
}

#[tokio::test]
async fn a_sound_mirror_of_another_spelling_is_right() {
    let stage = mirrored().await;
    let view = stage.view();
    let repositories = view.repositories();
    for repository in repositories {
        for tag in view.tags(&repository) {
            as_the_predecessor(&view, &repository, &tag);
        }
    }
    let seen = report(&stage, verify(&stage).arg("--deep"), 0).await;
    let linux = &seen["summary"]["subdirs"][0];
    assert_eq!(
        (&linux["ours"], &linux["shards"]),
        (&json!(false), &json!(3)),
        "{seen:#}"
    );
    // It need not have what only ours must have.
    let index = index_repository(&stage);
    let mut manifest = view.manifest_json(&index, "latest").unwrap();
    let layers = manifest["layers"].as_array_mut().unwrap();
    layers.retain(|layer| layer["mediaType"] != REPODATA_ZST);
    view.put_manifest(&index, "latest", &manifest);
    report(&stage, verify(&stage), 0).await;
}
