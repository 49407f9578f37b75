//! A folder of image layouts, looked at as if it were a registry: so both destinations have one witness.

use std::path::Path;

use mirror_kit::fake_registry::{FakeRegistry, RegistryView, sha256_digest};
use serde_json::Value;

use crate::stored::{blob_in_folder, manifests_in_folder};

/// A copy of what is tagged below `root`, under `namespace`. A blob that is missing from the folder is missing from the
/// copy; nothing, if there is no folder yet.
///
/// # Panics
/// If a blob or manifest is not what its name says: blobs must appear whole.
#[must_use]
pub fn view_of_folder(root: &Path, namespace: &str) -> RegistryView {
    let view = FakeRegistry::start().view();
    if !root.is_dir() {
        return view;
    }
    for (place, digest) in manifests_in_folder(root) {
        let (inside, tag) = place.rsplit_once(':').expect("repository:tag");
        let read = |digest: &str| {
            let bytes = blob_in_folder(root, inside, digest);
            assert_eq!(sha256_digest(&bytes), digest, "a blob of {inside}");
            bytes
        };
        let manifest: Value = serde_json::from_slice(&read(&digest)).expect("a manifest is JSON");
        let repository = format!("{namespace}/{inside}");
        let layers = manifest["layers"].as_array().into_iter().flatten();
        for blob in layers.chain([&manifest["config"]]) {
            let digest = blob["digest"].as_str().expect("a descriptor has a digest");
            let path = root
                .join(inside)
                .join("blobs")
                .join(digest.replace(':', "/"));
            if path.exists() {
                view.put_blob(&repository, read(digest));
            }
        }
        view.put_manifest(&repository, tag, &manifest);
    }
    view
}
