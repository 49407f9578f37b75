//! What comes out of a mirror is what went in, at real registries and for the real client.

use std::collections::BTreeMap;

use mirror_e2e::judged::{SUBDIRS, assert_all_is_downloaded};
use mirror_e2e::mirror::mirror;
use mirror_e2e::stored::{Manifests, Plain, manifests_in_folder};
use mirror_kit::channel::{Channel, oci_name, standard};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::fake_registry::sha256_digest;
use mirror_kit::judge::Judge;
use mirror_kit::process::Home;
use mirror_kit::servers::RealRegistry;

use crate::support::oci;

/// The manifests of the channel's packages and indexes, by their places below the namespace.
async fn manifests(registry: &RealRegistry, channel: &Channel) -> Manifests {
    let plain = Plain::of(registry);
    let packages = channel.mirrored().filter_map(|file| {
        let name = oci_name(&file.file_name)?;
        Some((
            format!("{}/{}/{}", channel.name, file.subdir, name.component),
            name.tag,
        ))
    });
    let indexes = SUBDIRS.map(|subdir| {
        let repository = format!("{}/{subdir}/repodata.json", channel.name);
        (repository, "latest".to_owned())
    });
    let mut found = BTreeMap::new();
    for (inside, tag) in packages.chain(indexes) {
        let manifest = plain.manifest(&inside, &tag).await;
        let manifest = manifest.unwrap_or_else(|| panic!("no {inside}:{tag}"));
        // Ours are written with sorted keys, as this writes them.
        let digest = sha256_digest(&serde_json::to_vec(&manifest).unwrap());
        found.insert(format!("{inside}:{tag}"), digest);
    }
    found
}

async fn assert_installs(registry: &RealRegistry, channel: &Channel) {
    let judge = Judge::new(registry.addr()).await.unwrap();
    let path = format!("{}/{}", registry.namespace(), channel.name);
    for sharded in [false, true] {
        assert_all_is_downloaded(&judge, &path, channel, sharded).await;
    }
}

#[tokio::test]
async fn from_registry_to_registry_and_through_a_folder_everything_stays_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let channel = standard(dir.path().join("channel")).unwrap();
    let upstream = FakeChannel::start(&channel.dir).await.unwrap();
    let first = RealRegistry::start().await.unwrap();
    let home = Home::new();
    let run = mirror(&home, upstream.url(), first.destination());
    run.run().await.assert_code(0);
    let asked = upstream.requests().len();
    let original = manifests(&first, &channel).await;

    // To another registry.
    let second = RealRegistry::start().await.unwrap();
    let source = |registry: &RealRegistry| {
        let path = format!("{}/{}", registry.namespace(), channel.name);
        oci(registry.url(), &path)
    };
    let home = Home::new();
    let run = || mirror(&home, source(&first), second.destination());
    run().run().await.assert_code(0);
    assert_eq!(manifests(&second, &channel).await, original);
    assert_installs(&second, &channel).await;
    let again = run().run().await;
    again.assert_code(0);
    assert!(again.stdout.contains("0 files"), "{}", again.to_text());

    // Into a folder, and from there into a third.
    let folder = dir.path().join("carried");
    let to = format!("oci:{}", folder.display());
    let run = mirror(&Home::new(), source(&second), &to).run().await;
    run.assert_code(0);
    let carried = manifests_in_folder(&folder);
    for (place, digest) in &original {
        assert_eq!(carried.get(place), Some(digest), "{place}");
    }
    let third = RealRegistry::start().await.unwrap();
    let run = mirror(&Home::new(), &to, third.destination()).run().await;
    run.assert_code(0);
    assert_eq!(manifests(&third, &channel).await, original);
    assert_installs(&third, &channel).await;
    assert_eq!(
        upstream.requests().len(),
        asked,
        "the channel was asked again"
    );
}

#[tokio::test]
async fn within_a_real_registry_a_channel_is_copied_under_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let channel = standard(dir.path().join("channel")).unwrap();
    let registry = RealRegistry::start().await.unwrap();
    let from = channel.dir.to_str().unwrap();
    let run = mirror(&Home::new(), from, registry.destination());
    run.run().await.assert_code(0);
    let source = format!("{}/{}", registry.namespace(), channel.name);
    let source = oci(registry.url(), &source);
    let onto_itself = mirror(&Home::new(), &source, registry.destination());
    let refused = onto_itself.run().await;
    refused.assert_code(2);
    assert!(
        refused.stderr.contains("onto itself"),
        "{}",
        refused.to_text()
    );
    let copy = mirror(&Home::new(), &source, registry.destination()).args(["--as", "copied"]);
    let copy = copy.arg("--debug").run().await;
    copy.assert_code(0);
    assert!(
        !copy.stderr.contains("it is moved instead"),
        "{}",
        copy.to_text()
    );
    let judge = Judge::new(registry.addr()).await.unwrap();
    let path = format!("{}/copied", registry.namespace());
    assert_all_is_downloaded(&judge, &path, &channel, true).await;
}
