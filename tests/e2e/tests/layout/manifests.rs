//! Manifests of packages, whole and exact.

use std::collections::{BTreeMap, BTreeSet};

use mirror_e2e::stored::{INFO, INFO_INDEX, MANIFEST, package_media_type};
use mirror_kit::channel::{MadeFile, oci_name};
use mirror_kit::fake_registry::sha256_digest;
use serde_json::{Value, json};

use super::Mirrored;

const EMPTY_OBJECT: &str =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
/// 1,700,000,000,000 ms, the time that the packages say they were built at.
const CREATED: &str = "2023.11.14.22.13";

fn keys(value: &Value) -> BTreeSet<&str> {
    let object = value.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn every_manifest_has_only_what_readers_in_the_field_know() {
    let mirrored = Mirrored::standard(&[]).await;
    let registry = &mirrored.registry;
    let mut manifests = 0;
    for repository in registry.repositories() {
        for tag in registry.tags(&repository) {
            let place = format!("{repository}:{tag}");
            let stored = registry.manifest(&repository, &tag).unwrap();
            assert_eq!(stored.media_type, MANIFEST, "{place}");
            let manifest: Value = serde_json::from_slice(&stored.bytes).unwrap();
            let mut allowed = BTreeSet::from(["config", "layers", "mediaType", "schemaVersion"]);
            if tag == "latest" {
                allowed.insert("annotations");
            }
            assert_eq!(keys(&manifest), allowed, "{place}");
            assert_eq!(manifest["mediaType"], MANIFEST);
            assert_eq!(manifest["schemaVersion"], 2);
            let config = json!({
                "mediaType": "application/vnd.unknown.config.v1+json", "digest": EMPTY_OBJECT, "size": 2,
            });
            assert_eq!(manifest["config"], config, "{place}");
            assert_eq!(registry.blob(&repository, EMPTY_OBJECT).unwrap(), "{}");
            for layer in manifest["layers"].as_array().unwrap() {
                let exactly = BTreeSet::from(["annotations", "digest", "mediaType", "size"]);
                assert_eq!(keys(layer), exactly, "{place}");
                // In the package's own repository: no client looks elsewhere.
                let bytes = registry.blob(&repository, layer["digest"].as_str().unwrap());
                let bytes = bytes.unwrap_or_else(|| panic!("{place} has no blob {layer}"));
                assert_eq!(layer["digest"], sha256_digest(&bytes), "{place}");
                assert_eq!(layer["size"], bytes.len(), "{place}");
                let annotations = layer["annotations"].as_object().unwrap();
                assert!(annotations.values().all(Value::is_string), "{place}");
            }
            manifests += 1;
        }
    }
    assert!(manifests > 25, "{:?}", registry.repositories());
}

/// The manifest that a build's files must have; digests of what is made from `info/` are taken from `found`.
fn expected(files: &[&MadeFile], found: &Value) -> Value {
    let info_digest = |media_type: &str| {
        let layers = found["layers"].as_array().unwrap();
        let layer = layers.iter().find(|layer| layer["mediaType"] == media_type);
        layer.unwrap_or_else(|| panic!("no layer {media_type} in {found:#}"))
    };
    let created = files[0].record.contains_key("timestamp");
    let layer = |media_type: &str, digest: &Value, size: &Value, title: String| {
        let mut layer = json!({
            "mediaType": media_type, "digest": digest, "size": size,
            "annotations": {"org.opencontainers.image.title": title},
        });
        if created {
            layer["annotations"]["creationTime"] = json!(CREATED);
        }
        layer
    };
    let package = |file: &MadeFile| {
        let digest = json!(format!("sha256:{}", file.sha256));
        let media_type = package_media_type(&file.file_name);
        let mut layer = layer(
            media_type,
            &digest,
            &json!(file.size),
            file.file_name.clone(),
        );
        layer["annotations"]["org.conda.md5"] = json!(file.md5);
        layer
    };
    let stem = stem(files[0]);
    let info = |media_type: &str, file: &str| {
        let found = info_digest(media_type);
        layer(
            media_type,
            &found["digest"],
            &found["size"],
            format!("{stem}/{file}"),
        )
    };
    let mut layers = vec![
        package(files[0]),
        info(INFO, "info.tar.gz"),
        info(INFO_INDEX, "info/index.json"),
    ];
    layers.extend(files[1..].iter().map(|file| package(file)));
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.unknown.config.v1+json", "digest": EMPTY_OBJECT, "size": 2,
        },
        "layers": layers,
    })
}

fn stem(file: &MadeFile) -> &str {
    let stem = file.file_name.strip_suffix(".conda");
    stem.or_else(|| file.file_name.strip_suffix(".tar.bz2"))
        .unwrap()
}

#[tokio::test]
async fn a_builds_manifest_names_package_info_index_and_the_other_format_in_this_order() {
    let mirrored = Mirrored::standard(&[]).await;
    let mut builds = BTreeMap::<_, Vec<&MadeFile>>::new();
    for file in mirrored
        .channel
        .files
        .iter()
        .filter(|file| file.representable)
    {
        builds
            .entry((&file.subdir, stem(file)))
            .or_default()
            .push(file);
    }
    let two_formats = builds.values().filter(|files| files.len() == 2).count();
    assert_eq!(two_formats, 3, "zlib, future, greeter");
    for ((subdir, stem), mut files) in builds {
        // The .conda is the first layer, if there is one.
        files.sort_by_key(|file| !file.file_name.ends_with(".conda"));
        let place = oci_name(&files[0].file_name).unwrap();
        let repository = mirrored.repository(subdir, &place.component);
        let found = mirrored.registry.manifest_json(&repository, &place.tag);
        let found = found.unwrap_or_else(|| panic!("{stem} is not at {repository}:{}", place.tag));
        assert_eq!(found, expected(&files, &found), "{stem}");
    }
}

#[tokio::test]
async fn a_package_repository_holds_nothing_but_what_its_manifests_name() {
    let mirrored = Mirrored::standard(&[]).await;
    let registry = &mirrored.registry;
    for repository in registry.repositories() {
        let mut named = BTreeSet::new();
        for tag in registry.tags(&repository) {
            let manifest = registry.manifest_json(&repository, &tag).unwrap();
            let blobs = manifest["layers"].as_array().unwrap().iter();
            let digests = blobs
                .chain([&manifest["config"]])
                .map(|blob| blob["digest"].as_str());
            named.extend(digests.map(|digest| digest.unwrap().to_owned()));
        }
        let held: BTreeSet<String> = registry.blobs(&repository).into_iter().collect();
        assert_eq!(held, named, "{repository}");
    }
    assert_eq!(registry.open_uploads(), 0);
}
