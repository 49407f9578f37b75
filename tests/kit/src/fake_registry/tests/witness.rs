use serde_json::{Value, json};

use super::super::{FakeRegistry, sha256_digest};
use super::MANIFEST;

const SUBDIR: &str = "ns/c/noarch";

fn put(registry: &FakeRegistry, repository: &str, tag: &str, layers: &[(&str, Vec<u8>)]) {
    let config = registry.put_blob(repository, "{}");
    let layers: Vec<Value> = layers
        .iter()
        .map(|(media_type, bytes)| {
            let digest = registry.put_blob(repository, bytes.clone());
            json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
        })
        .collect();
    let config = json!({"mediaType": "application/x", "digest": config, "size": 2});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
    });
    registry.put_manifest(repository, tag, &manifest);
}

fn publish(registry: &FakeRegistry, index: &Value, zst_of: &Value) {
    let json = index.to_string().into_bytes();
    let zst = zstd::encode_all(zst_of.to_string().as_bytes(), 0).unwrap();
    let layers = [
        ("application/vnd.conda.repodata.v1+json", json),
        ("application/vnd.conda.repodata.v1+json+zst", zst),
    ];
    put(
        registry,
        &format!("{SUBDIR}/repodata.json"),
        "latest",
        &layers,
    );
}

fn index() -> Value {
    let sha256 = |bytes: &[u8]| sha256_digest(bytes)["sha256:".len()..].to_owned();
    json!({
        "packages": {"_a-1!2+b-0.tar.bz2": {"sha256": sha256(b"one"), "size": 3}},
        "packages.conda": {"x-y-1.0-h_0.conda": {"sha256": sha256(b"two"), "size": 3}},
        "v3": {"conda": {"z-1.0-0": {"sha256": sha256(b"three"), "size": 5}}},
    })
}

fn sound() -> FakeRegistry {
    let registry = FakeRegistry::start();
    let (v1, v2) = (
        "application/vnd.conda.package.v1",
        "application/vnd.conda.package.v2",
    );
    for (name, tag, media_type, bytes) in [
        ("zzz_a", "1__e__2__p__b-0", v1, "one"),
        ("x-y", "1.0-h_0", v2, "two"),
        ("z", "1.0-0", v2, "three"),
    ] {
        put(
            &registry,
            &format!("{SUBDIR}/{name}"),
            tag,
            &[(media_type, bytes.into())],
        );
    }
    publish(&registry, &index(), &index());
    registry
}

#[test]
fn a_sound_index_has_no_breach() {
    let registry = sound();
    assert_eq!(registry.index_breaches(SUBDIR), Vec::<String>::new());
    let files = registry.index_files(SUBDIR);
    assert_eq!(
        files.into_iter().collect::<Vec<_>>(),
        ["_a-1!2+b-0.tar.bz2", "x-y-1.0-h_0.conda", "z-1.0-0.conda"]
    );
}

#[test]
fn every_kind_of_breach_is_named() {
    let breach = |damage: &dyn Fn(&FakeRegistry)| {
        let registry = sound();
        damage(&registry);
        registry.index_breaches(SUBDIR).join("\n")
    };
    let gone = breach(&|r| assert!(r.delete_manifest(&format!("{SUBDIR}/z"), "1.0-0")));
    assert!(gone.starts_with("z-1.0-0.conda: "), "{gone}");
    let blob =
        breach(&|r| assert!(r.delete_blob(&format!("{SUBDIR}/x-y"), &sha256_digest(b"two"))));
    assert!(blob.starts_with("x-y-1.0-h_0.conda: "), "{blob}");
    let other = breach(&|r| {
        let mut changed = index();
        changed["packages"]["_a-1!2+b-0.tar.bz2"]["sha256"] = json!("00".repeat(32));
        publish(r, &changed, &changed);
    });
    assert!(other.contains("held with"), "{other}");
    let zst = breach(&|r| publish(r, &index(), &json!({})));
    assert_eq!(zst, "the .zst differs from the plain index");
    let none = breach(&|r| assert!(r.delete_repository(&format!("{SUBDIR}/repodata.json"))));
    assert!(none.contains("has no layer"), "{none}");
}
