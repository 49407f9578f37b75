//! Writes what the Python predecessor (conda-oci-mirror 0.3.0) leaves in a registry: its manifests have a config of no
//! bytes, `creationTime` in minutes, and an index without our annotation that may list what is not there.

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::{INFO, INFO_INDEX, MANIFEST, REPODATA, REPODATA_ZST, package_media_type};
use mirror_kit::channel::MadeFile;
use mirror_kit::fake_registry::RegistryView;
use serde_json::{Value, json};

fn descriptor(
    view: &RegistryView,
    repository: &str,
    media_type: &str,
    title: &str,
    bytes: &[u8],
) -> Value {
    let digest = view.put_blob(repository, bytes.to_vec());
    json!({
        "mediaType": media_type, "digest": digest, "size": bytes.len(),
        "annotations": {"org.opencontainers.image.title": title},
    })
}

fn manifest(
    view: &RegistryView,
    repository: &str,
    layers: Vec<Value>,
    annotations: Value,
) -> Value {
    let digest = view.put_blob(repository, Vec::new());
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": layers, "annotations": annotations,
        "config": {"mediaType": "application/vnd.unknown.config.v1+json", "digest": digest, "size": 0},
    })
}

/// The file of the channel as the predecessor pushes it, with these bytes.
pub(crate) fn put_bytes(stage: &Stage, file: &MadeFile, bytes: &[u8]) {
    let view = stage.view();
    let (repository, tag) = stage.place(file);
    let stem = file
        .file_name
        .trim_end_matches(".conda")
        .trim_end_matches(".tar.bz2");
    let info = format!("{stem}/info.tar.gz");
    let index = format!("{stem}/info/index.json");
    let mut package = descriptor(
        &view,
        &repository,
        package_media_type(&file.file_name),
        &file.file_name,
        bytes,
    );
    package["annotations"]["org.conda.md5"] = json!(file.md5);
    let layers = vec![
        package,
        descriptor(&view, &repository, INFO, &info, b"stands for an archive"),
        descriptor(&view, &repository, INFO_INDEX, &index, b"{}"),
    ];
    let annotations = json!({"org.opencontainers.image.created": "2023.11.14.22.13"});
    view.put_manifest(
        &repository,
        &tag,
        &manifest(&view, &repository, layers, annotations),
    );
}

/// The file of the channel as the predecessor pushes it.
pub(crate) fn put(stage: &Stage, file: &str) {
    let file = stage.channel.file(file);
    put_bytes(stage, file, &file.bytes().unwrap());
}

/// The channel's whole index of linux-64, as the predecessor pushes it whatever it mirrored.
pub(crate) fn put_index(stage: &Stage) -> String {
    let json = std::fs::read(stage.channel.dir.join("linux-64/repodata.json")).unwrap();
    put_index_of(stage, &json)
}

/// This index of linux-64.
pub(crate) fn put_index_of(stage: &Stage, json: &[u8]) -> String {
    let view = stage.view();
    let repository = crate::support::index_repository(stage);
    let zst = zstd::encode_all(json, 3).unwrap();
    let layers = vec![
        descriptor(&view, &repository, REPODATA, "repodata.json", json),
        descriptor(&view, &repository, REPODATA_ZST, "repodata.json.zst", &zst),
    ];
    view.put_manifest(
        &repository,
        "latest",
        &manifest(&view, &repository, layers, json!({})),
    )
}
