//! What a destination holds, read with plain requests and plain files.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use mirror_kit::fake_registry::RegistryView;
use mirror_kit::servers::RealRegistry;
use serde_json::Value;

/// A `.tar.bz2` package.
pub const PACKAGE_TAR_BZ2: &str = "application/vnd.conda.package.v1";
/// A `.conda` package.
pub const PACKAGE_CONDA: &str = "application/vnd.conda.package.v2";
/// `info/` as tar.gz.
pub const INFO: &str = "application/vnd.conda.info.v1.tar+gzip";
/// `info/index.json`.
pub const INFO_INDEX: &str = "application/vnd.conda.info.index.v1+json";
/// `repodata.json`.
pub const REPODATA: &str = "application/vnd.conda.repodata.v1+json";
/// `repodata.json.zst`.
pub const REPODATA_ZST: &str = "application/vnd.conda.repodata.v1+json+zst";
/// The index of the shards.
pub const SHARD_INDEX: &str = "application/vnd.conda.repodata.shards.v1+msgpack+zst";
/// One shard.
pub const SHARD: &str = "application/vnd.conda.repodata.shard.v1+msgpack+zst";
/// Every manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media type of a package file's layer.
///
/// # Panics
/// If it is no package file.
#[must_use]
pub fn package_media_type(file: &str) -> &'static str {
    match file {
        conda if conda.ends_with(".conda") => PACKAGE_CONDA,
        tar if tar.ends_with(".tar.bz2") => PACKAGE_TAR_BZ2,
        other => panic!("{other} is no package file"),
    }
}

/// Manifest digests by `repository:tag`, repositories relative to the place the mirror was given.
pub type Manifests = BTreeMap<String, String>;

/// Everything that is tagged below `namespace` of a registry.
#[must_use]
pub fn manifests_in_registry(registry: &RegistryView, namespace: &str) -> Manifests {
    let mut manifests = Manifests::new();
    for repository in registry.repositories() {
        let Some(inside) = repository.strip_prefix(&format!("{namespace}/")) else {
            continue;
        };
        for tag in registry.tags(&repository) {
            if let Some(manifest) = registry.manifest(&repository, &tag) {
                manifests.insert(format!("{inside}:{tag}"), manifest.digest);
            }
        }
    }
    manifests
}

/// Everything that is tagged in a folder of image layouts.
///
/// # Panics
/// If an `index.json` cannot be read or understood.
#[must_use]
pub fn manifests_in_folder(root: &Path) -> Manifests {
    let mut manifests = Manifests::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let index = folder.join("index.json");
        if index.is_file() {
            let bytes = std::fs::read(&index).expect("an index.json can be read");
            let index: Value = serde_json::from_slice(&bytes).expect("an index.json is JSON");
            let repository = folder
                .strip_prefix(root)
                .expect("a folder below the root")
                .display();
            for manifest in index["manifests"].as_array().expect("it lists manifests") {
                let tag = manifest["annotations"]["org.opencontainers.image.ref.name"]
                    .as_str()
                    .expect("a manifest has its tag");
                let digest = manifest["digest"]
                    .as_str()
                    .expect("a manifest has a digest");
                let before = manifests.insert(format!("{repository}:{tag}"), digest.to_owned());
                assert_eq!(before, None, "{repository} has two of {tag}");
            }
        }
        for entry in std::fs::read_dir(&folder).expect("a folder can be listed") {
            let entry = entry.expect("a folder can be listed");
            if entry.file_type().expect("an entry has a type").is_dir()
                && entry.file_name() != "blobs"
            {
                folders.push(entry.path());
            }
        }
    }
    manifests
}

/// A blob of a repository in a folder of image layouts; `digest` is `sha256:<hex>`.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn blob_in_folder(root: &Path, repository: &str, digest: &str) -> Vec<u8> {
    let path = root
        .join(repository)
        .join("blobs")
        .join(digest.replace(':', "/"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// A real registry, read with the distribution specification's plain requests. Repositories are relative to the
/// namespace that the mirror was given.
#[derive(Debug)]
pub struct Plain {
    client: reqwest::Client,
    base: String,
}

impl Plain {
    /// A reader of this registry.
    ///
    /// # Panics
    /// If no client can be made.
    #[must_use]
    pub fn of(registry: &RealRegistry) -> Self {
        let client = reqwest::Client::builder().no_proxy().build();
        Self {
            client: client.expect("a plain client"),
            base: format!("{}/v2/{}", registry.url(), registry.namespace()),
        }
    }

    /// A manifest; `None` when it is not there.
    ///
    /// # Panics
    /// If the registry does not answer, or with neither 200 nor 404.
    pub async fn manifest(&self, repository: &str, reference: &str) -> Option<Value> {
        let url = format!("{}/{repository}/manifests/{reference}", self.base);
        let answer = self
            .client
            .get(&url)
            .header("accept", MANIFEST)
            .send()
            .await
            .unwrap_or_else(|error| panic!("GET {url}: {error}"));
        match answer.status().as_u16() {
            404 => None,
            200 => Some(answer.json().await.expect("a manifest is JSON")),
            status => panic!("GET {url}: {status}"),
        }
    }

    /// The tags of a repository; none when it is not there.
    ///
    /// # Panics
    /// If the registry does not answer, or with neither 200 nor 404.
    pub async fn tags(&self, repository: &str) -> Vec<String> {
        let url = format!("{}/{repository}/tags/list", self.base);
        let answer = self
            .client
            .get(&url)
            .send()
            .await
            .unwrap_or_else(|error| panic!("GET {url}: {error}"));
        match answer.status().as_u16() {
            404 => Vec::new(),
            200 => {
                let list: Value = answer.json().await.expect("a list of tags is JSON");
                let tags = list["tags"].as_array().into_iter().flatten();
                tags.filter_map(|tag| Some(tag.as_str()?.to_owned()))
                    .collect()
            }
            status => panic!("GET {url}: {status}"),
        }
    }

    /// The answer to the request for a blob.
    ///
    /// # Panics
    /// If it is not there.
    pub async fn blob(&self, repository: &str, digest: &str) -> reqwest::Response {
        let url = format!("{}/{repository}/blobs/{digest}", self.base);
        let answer = self.client.get(&url).send().await;
        answer
            .and_then(reqwest::Response::error_for_status)
            .unwrap_or_else(|error| panic!("GET {url}: {error}"))
    }

    /// The bytes of a manifest's only layer of a media type; `None` when there is no such manifest or layer.
    ///
    /// # Panics
    /// If the layer's blob is not there.
    pub async fn layer(&self, repository: &str, tag: &str, media_type: &str) -> Option<Bytes> {
        let manifest = self.manifest(repository, tag).await?;
        let digest = digest_of_layer(&manifest, media_type)?;
        let bytes = self.blob(repository, &digest).await.bytes().await;
        Some(bytes.expect("a blob arrives whole"))
    }
}

/// The digest of a manifest's only layer of a media type.
///
/// # Panics
/// If there are several.
#[must_use]
pub fn digest_of_layer(manifest: &Value, media_type: &str) -> Option<String> {
    let layers = manifest["layers"].as_array()?;
    let mut found = layers
        .iter()
        .filter(|layer| layer["mediaType"] == media_type);
    let digest = found.next()?["digest"].as_str()?.to_owned();
    assert!(
        found.next().is_none(),
        "two layers {media_type}: {manifest:#}"
    );
    Some(digest)
}
