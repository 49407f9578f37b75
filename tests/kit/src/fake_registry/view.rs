//! What a test sees of a registry's content, and how it damages it. No request
//! is made or logged.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::shared::Shared;
use super::store::{Blob, StoredManifest, sha256_digest};

/// The content of a registry. Digests are `sha256:<hex>`; a reference is a tag
/// or a digest. Clones see the same registry.
#[derive(Clone)]
pub struct RegistryView {
    pub(super) shared: Arc<Shared>,
}

impl RegistryView {
    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Names of all repositories, sorted.
    #[must_use]
    pub fn repositories(&self) -> Vec<String> {
        self.shared.store.repositories().keys().cloned().collect()
    }

    /// Makes an empty repository, as a person does where a push makes none.
    pub fn make_repository(&self, repository: &str) {
        let mut repositories = self.shared.store.repositories();
        repositories.entry(repository.to_owned()).or_default();
    }

    /// Tags of a repository, sorted.
    #[must_use]
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let repositories = self.shared.store.repositories();
        let repository = repositories.get(repository);
        repository.map_or(Vec::new(), |r| r.tags.keys().cloned().collect())
    }

    /// A manifest.
    #[must_use]
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<StoredManifest> {
        let repositories = self.shared.store.repositories();
        repositories.get(repository)?.manifest(reference).cloned()
    }

    /// A manifest, parsed.
    #[must_use]
    pub fn manifest_json(&self, repository: &str, reference: &str) -> Option<Value> {
        let manifest = self.manifest(repository, reference)?;
        Some(serde_json::from_slice(&manifest.bytes).expect("only JSON was taken"))
    }

    /// The bytes of a blob.
    #[must_use]
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        Some(self.shared.store.blob(repository, digest)?.read())
    }

    /// The size of a blob in bytes.
    #[must_use]
    pub fn blob_size(&self, repository: &str, digest: &str) -> Option<u64> {
        Some(self.shared.store.blob(repository, digest)?.len())
    }

    /// Digests of all blobs of a repository, sorted.
    #[must_use]
    pub fn blobs(&self, repository: &str) -> Vec<String> {
        let repositories = self.shared.store.repositories();
        let blobs = repositories
            .get(repository)
            .map(|r| r.blobs.keys().cloned());
        let mut digests: Vec<String> = blobs.into_iter().flatten().collect();
        digests.sort();
        digests
    }

    /// The descriptor and bytes of a manifest's first layer of a media type.
    #[must_use]
    pub fn layer(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
    ) -> Option<(Value, Bytes)> {
        let manifest = self.manifest_json(repository, reference)?;
        let layers = manifest["layers"].as_array()?;
        let layer = layers
            .iter()
            .find(|layer| layer["mediaType"] == media_type)?;
        let bytes = self.blob(repository, layer["digest"].as_str()?)?;
        Some((layer.clone(), bytes))
    }

    /// Number of upload sessions that were begun and not ended.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        self.shared.store.sessions().len()
    }

    /// Puts a blob there; its digest.
    pub fn put_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        let digest = sha256_digest(&bytes);
        self.shared
            .store
            .put_blob(repository, &digest, Blob::Memory(bytes));
        digest
    }

    /// Puts a manifest there, unchecked and without hooks; its digest.
    ///
    /// # Panics
    /// If the manifest has no `mediaType`.
    pub fn put_manifest(&self, repository: &str, tag: &str, manifest: &Value) -> String {
        let media_type = manifest["mediaType"]
            .as_str()
            .expect("a manifest has a mediaType");
        let bytes = Bytes::from(manifest.to_string());
        let stored = StoredManifest {
            media_type: media_type.to_owned(),
            digest: sha256_digest(&bytes),
            bytes,
        };
        let digest = stored.digest.clone();
        let mut repositories = self.shared.store.repositories();
        let repository = repositories.entry(repository.to_owned()).or_default();
        repository.published = true;
        repository.tags.insert(tag.to_owned(), digest.clone());
        repository.manifests.insert(digest.clone(), stored);
        digest
    }

    /// Removes a blob; whether it was there. Manifests that name it stay.
    pub fn delete_blob(&self, repository: &str, digest: &str) -> bool {
        let mut repositories = self.shared.store.repositories();
        let repository = repositories.get_mut(repository);
        repository.is_some_and(|r| r.blobs.remove(digest).is_some())
    }

    /// Puts other bytes under the digest of a blob; whether it was there.
    pub fn corrupt_blob(&self, repository: &str, digest: &str, bytes: impl Into<Bytes>) -> bool {
        let mut repositories = self.shared.store.repositories();
        let blob = repositories
            .get_mut(repository)
            .and_then(|r| r.blobs.get_mut(digest));
        blob.map(|blob| *blob = Blob::Memory(bytes.into()))
            .is_some()
    }

    /// Removes a tag, or a manifest by digest with its tags; whether it was
    /// there.
    pub fn delete_manifest(&self, repository: &str, reference: &str) -> bool {
        let mut repositories = self.shared.store.repositories();
        let repository = repositories.get_mut(repository);
        repository.is_some_and(|r| r.remove_manifest(reference))
    }

    /// Removes a repository; whether it was there.
    pub fn delete_repository(&self, repository: &str) -> bool {
        self.shared
            .store
            .repositories()
            .remove(repository)
            .is_some()
    }

    /// Removes everything, open uploads too.
    pub fn delete_all(&self) {
        self.shared.store.repositories().clear();
        self.shared.store.sessions().clear();
    }
}
