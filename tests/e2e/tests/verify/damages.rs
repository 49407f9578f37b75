//! Each kind of damage in a registry: found, named for what it is, and mended.

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::{
    INFO, INFO_INDEX, PACKAGE_CONDA, REPODATA, REPODATA_ZST, SHARD, SHARD_INDEX,
};
use mirror_kit::judge::Judge;
use serde_json::{Value, json};

use crate::support::{found, mirrored, repaired, report, verify};

/// What is damaged.
struct Scene {
    stage: Stage,
}

impl Scene {
    async fn new() -> Self {
        Self {
            stage: mirrored().await,
        }
    }

    fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.stage.subdir("linux-64"))
    }

    fn index(&self) -> String {
        self.repository("repodata.json")
    }

    fn shards(&self) -> String {
        self.repository("repodata.json/shards")
    }

    /// The digest of a layer.
    fn digest(&self, repository: &str, tag: &str, media_type: &str) -> String {
        let view = self.stage.view();
        let (layer, _) = view.layer(repository, tag, media_type).unwrap();
        layer["digest"].as_str().unwrap().to_owned()
    }

    fn delete_layer(&self, repository: &str, tag: &str, media_type: &str) {
        let digest = self.digest(repository, tag, media_type);
        assert!(self.stage.view().delete_blob(repository, &digest));
    }

    /// Changes a manifest as `edit` says.
    fn edit(&self, repository: &str, tag: &str, edit: impl FnOnce(&mut Value)) {
        let view = self.stage.view();
        let mut manifest = view.manifest_json(repository, tag).unwrap();
        edit(&mut manifest);
        view.put_manifest(repository, tag, &manifest);
    }

    /// The tag of the shard of a name.
    fn shard_of(&self, name: &str) -> String {
        let (_, index) = self
            .stage
            .view()
            .layer(&self.index(), "latest", SHARD_INDEX)
            .unwrap();
        let index = crate::support::shard_hashes(&index);
        index[name].clone()
    }

    /// Finds exactly this, with and without a repair, and after the repair nothing.
    async fn is_found_and_mended(&self, options: &[&str], damages: &[&str]) {
        let seen = report(&self.stage, verify(&self.stage).args(options), 1).await;
        assert_eq!(found(&seen, "damage"), damages, "{seen:#}");
        assert_eq!(seen["summary"]["sound"], false);
        let mended = verify(&self.stage).args(options).arg("--repair");
        let mended = report(&self.stage, mended, 0).await;
        assert_eq!(found(&mended, "damage"), Vec::<String>::new(), "{mended:#}");
        assert_eq!(repaired(&mended), damages.len(), "{mended:#}");
        let again = report(&self.stage, verify(&self.stage).args(options), 0).await;
        assert_eq!(again["summary"]["sound"], true, "{again:#}");
        self.stage.assert_complete();
        self.is_read_by_a_client().await;
    }

    async fn is_read_by_a_client(&self) {
        let registry = self.stage.fake();
        let judge = Judge::new(registry.addr()).await.unwrap();
        let path = format!("ns/{}", self.stage.channel.name);
        for sharded in [false, true] {
            mirror_e2e::judged::assert_all_is_downloaded(
                &judge,
                &path,
                &self.stage.channel,
                sharded,
            )
            .await;
        }
    }
}

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
async fn the_manifest_of_another_package_at_the_tag() {
    let scene = Scene::new().await;
    let view = scene.stage.view();
    let many = scene.repository("many");
    let other = view.manifest_json(&many, "2.0-0").unwrap();
    view.put_manifest(&many, "1.0-0", &other);
    scene
        .is_found_and_mended(&[], &["layer-differs many-1.0-0.conda"])
        .await;
}

#[tokio::test]
async fn a_tag_that_was_deleted() {
    let scene = Scene::new().await;
    let two = scene.repository("two");
    assert!(scene.stage.view().delete_manifest(&two, "1.0-0"));
    scene
        .is_found_and_mended(
            &[],
            &[
                "manifest-missing two-1.0-0.conda",
                "manifest-missing two-1.0-0.tar.bz2",
            ],
        )
        .await;
}

#[tokio::test]
async fn a_tag_that_holds_no_manifest_of_a_package() {
    let scene = Scene::new().await;
    let one = scene.repository("one");
    let strange = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []});
    scene.stage.view().put_manifest(&one, "1.0-0", &strange);
    let seen = report(&scene.stage, verify(&scene.stage), 1).await;
    let damages = found(&seen, "damage");
    assert!(
        [
            "manifest-unreadable one-1.0-0.conda",
            "manifest-missing one-1.0-0.conda"
        ]
        .contains(&damages[0].as_str()),
        "{seen:#}"
    );
    let damage = damages[0].clone();
    scene.is_found_and_mended(&[], &[&damage]).await;
}

#[tokio::test]
async fn a_format_that_the_manifest_does_not_name() {
    let scene = Scene::new().await;
    scene.edit(&scene.repository("two"), "1.0-0", |manifest| {
        let layers = manifest["layers"].as_array_mut().unwrap();
        layers.retain(|layer| layer["mediaType"] != "application/vnd.conda.package.v1");
    });
    scene
        .is_found_and_mended(&[], &["layer-missing two-1.0-0.tar.bz2"])
        .await;
}

#[tokio::test]
async fn a_descriptor_with_a_wrong_size() {
    let scene = Scene::new().await;
    scene.edit(&scene.repository("one"), "1.0-0", |manifest| {
        manifest["layers"][0]["size"] = json!(7);
    });
    scene
        .is_found_and_mended(
            &[],
            &["blob-size one-1.0-0.conda", "size-differs one-1.0-0.conda"],
        )
        .await;
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
