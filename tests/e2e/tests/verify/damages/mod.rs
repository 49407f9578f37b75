//! Each kind of damage in a registry: found, named for what it is, and mended.

mod blobs;
mod indexes;
mod manifests;
mod repairs;
mod shards;

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::SHARD_INDEX;
use mirror_kit::judge::Judge;
use serde_json::Value;

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
