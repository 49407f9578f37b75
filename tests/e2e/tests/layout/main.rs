//! What stands in the registry after a mirror, byte for byte: the layout that clients in the field read. The registry's
//! content is looked at as it is stored, without the product's code.
#![allow(clippy::unwrap_used)]

mod golden;
mod index;
mod info;
mod manifests;
mod shards;

use mirror_e2e::mirror::mirror;
use mirror_kit::channel::{Channel, standard};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::fake_registry::FakeRegistry;
use mirror_kit::process::Home;
use tempfile::TempDir;

const SUBDIRS: [&str; 2] = ["linux-64", "noarch"];

/// A channel, and its mirror below `ns` of a registry.
struct Mirrored {
    channel: Channel,
    registry: FakeRegistry,
    home: Home,
    upstream: FakeChannel,
    _dir: TempDir,
}

impl Mirrored {
    /// Of the standard channel, with these arguments more.
    async fn standard(args: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let channel = standard(dir.path().join("standard")).unwrap();
        let mirrored = Self::nothing_yet(dir, channel).await;
        mirrored.run(args).await;
        mirrored
    }

    async fn nothing_yet(dir: TempDir, channel: Channel) -> Self {
        Self {
            upstream: FakeChannel::start(&channel.dir).await.unwrap(),
            channel,
            registry: FakeRegistry::start(),
            home: Home::new(),
            _dir: dir,
        }
    }

    async fn run(&self, args: &[&str]) {
        let destination = format!("{}/ns", self.registry.url());
        let run = mirror(&self.home, self.upstream.url(), destination).args(args);
        run.run().await.assert_code(0);
    }

    fn repository(&self, subdir: &str, name: &str) -> String {
        format!("ns/{}/{subdir}/{name}", self.channel.name)
    }

    /// The bytes of one form of a subdir's index.
    fn index(&self, subdir: &str, media_type: &str) -> Vec<u8> {
        let repository = self.repository(subdir, "repodata.json");
        let (_, bytes) = self
            .registry
            .layer(&repository, "latest", media_type)
            .unwrap();
        bytes.to_vec()
    }
}
