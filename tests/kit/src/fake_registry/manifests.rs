//! HEAD, GET, PUT and DELETE of `/v2/<name>/manifests/<reference>`. A PUT is
//! taken only when everything it names is in the repository.

use std::collections::HashMap;

use axum::http::{Method, StatusCode};
use bytes::Bytes;
use serde_json::Value;

use super::answer::{Answer, Builder, Refusal, error};
use super::body::RequestBody;
use super::exchange::Exchange;
use super::grammar::is_digest;
use super::store::{Repository, StoredManifest, sha256_digest};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

impl Exchange<'_> {
    pub(super) fn manifest(&self) -> Result<Answer, Refusal> {
        let repositories = self.registry.store.repositories();
        let repository = repositories.get(&self.route.repository);
        let manifest = repository.and_then(|r| r.manifest(&self.route.reference));
        let manifest = manifest.ok_or_else(|| self.unknown_manifest("manifest unknown"))?;
        if !self.accepts(&manifest.media_type) {
            // Distribution's answer: `*/*` does not count either.
            let detail = format!("Accept does not name {}", manifest.media_type);
            return Err(self.unknown_manifest(&detail));
        }
        let answer = Builder::new(StatusCode::OK)
            .header("content-type", &manifest.media_type)
            .header("docker-content-digest", &manifest.digest)
            .header("etag", format!("\"{}\"", manifest.digest));
        let len = manifest.bytes.len() as u64;
        if self.method == Method::HEAD {
            return Ok(answer.head_of(len));
        }
        Ok(answer
            .header("content-length", len.to_string())
            .body(manifest.bytes.clone()))
    }

    pub(super) async fn put_manifest(&self, body: &mut RequestBody<'_>) -> Result<Answer, Refusal> {
        self.check_name_length()?;
        let limit = self.registry.options.largest_manifest;
        let Some(bytes) = body.read(limit).await? else {
            body.drain().await?;
            let detail = format!("manifests have at most {limit} bytes");
            return Err(error(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", detail).into());
        };
        let bytes = Bytes::from(bytes);
        let digest = sha256_digest(&bytes);
        let (repository, reference) = (&self.route.repository, &self.route.reference);
        if is_digest(reference) && *reference != digest {
            let detail = format!("the manifest hashes to {digest}");
            return Err(error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", detail).into());
        }
        let media_type = self.header("content-type").unwrap_or_default().to_owned();
        let refuse_empty_config = self.registry.options.refuse_empty_config;
        // Held while the hook runs: what it sees is this publication.
        let _order = self.registry.publications();
        {
            let mut repositories = self.registry.store.repositories();
            let repository = repositories.entry(repository.clone()).or_default();
            validate(repository, &bytes, &media_type, refuse_empty_config)?;
            repository.published = true;
            if !is_digest(reference) {
                repository.tags.insert(reference.clone(), digest.clone());
            }
            let manifest = StoredManifest {
                media_type,
                digest: digest.clone(),
                bytes,
            };
            repository.manifests.insert(digest.clone(), manifest);
        }
        self.registry.run_hooks(repository, reference)?;
        let mut answer = Builder::new(StatusCode::CREATED).header("docker-content-digest", &digest);
        if self.registry.options.manifest_location {
            let path = format!("/v2/{repository}/manifests/{digest}");
            answer = answer.header("location", self.here(&path));
        }
        Ok(answer.empty())
    }

    pub(super) fn delete_manifest(&self) -> Result<Answer, Refusal> {
        self.check_delete()?;
        let mut repositories = self.registry.store.repositories();
        let repository = repositories.get_mut(&self.route.repository);
        let removed = repository.is_some_and(|r| r.remove_manifest(&self.route.reference));
        if !removed {
            return Err(self.unknown_manifest("manifest unknown"));
        }
        Ok(Builder::new(StatusCode::ACCEPTED).empty())
    }

    fn accepts(&self, media_type: &str) -> bool {
        let values = self
            .headers
            .get_all("accept")
            .iter()
            .filter_map(|v| v.to_str().ok());
        let mut types = values.flat_map(|value| value.split(','));
        types.any(|t| t.split(';').next().unwrap_or_default().trim() == media_type)
    }

    fn unknown_manifest(&self, detail: &str) -> Refusal {
        error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", detail).into()
    }
}

impl Repository {
    /// Removes a tag, or a manifest with all tags that point to it.
    pub(super) fn remove_manifest(&mut self, reference: &str) -> bool {
        if !is_digest(reference) {
            return self.tags.remove(reference).is_some();
        }
        self.tags.retain(|_, digest| digest != reference);
        self.manifests.remove(reference).is_some()
    }
}

fn invalid(detail: impl std::fmt::Display) -> Refusal {
    error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", detail).into()
}

/// Checks a manifest against the specification and the repository.
fn validate(
    repository: &Repository,
    bytes: &[u8],
    media_type: &str,
    refuse_empty_config: bool,
) -> Result<(), Refusal> {
    let manifest: Value = serde_json::from_slice(bytes).map_err(invalid)?;
    if manifest["schemaVersion"] != 2 {
        return Err(invalid("schemaVersion is not 2"));
    }
    if manifest["mediaType"] != media_type {
        let detail = format!(
            "Content-Type {media_type}, mediaType {}",
            manifest["mediaType"]
        );
        return Err(invalid(detail));
    }
    check_annotations(&manifest["annotations"])?;
    match media_type {
        OCI_INDEX => {
            let manifests = array(&manifest, "manifests")?;
            let sizes = &repository.manifests;
            let sizes = sizes
                .iter()
                .map(|(digest, m)| (digest, m.bytes.len() as u64))
                .collect();
            manifests
                .iter()
                .try_for_each(|d| check_descriptor(d, &sizes).map(drop))
        }
        OCI_MANIFEST | DOCKER_MANIFEST => {
            let sizes = repository
                .blobs
                .iter()
                .map(|(digest, blob)| (digest, blob.len()))
                .collect();
            let config = check_descriptor(&manifest["config"], &sizes)?;
            if config == 0 && refuse_empty_config {
                return Err(invalid("the config has no bytes"));
            }
            let layers = array(&manifest, "layers")?;
            if layers.is_empty() {
                return Err(invalid("no layers"));
            }
            layers
                .iter()
                .try_for_each(|d| check_descriptor(d, &sizes).map(drop))
        }
        other => Err(invalid(format!("media type {other:?}"))),
    }
}

fn array<'a>(manifest: &'a Value, member: &str) -> Result<&'a Vec<Value>, Refusal> {
    manifest[member]
        .as_array()
        .ok_or_else(|| invalid(format!("{member} is no array")))
}

/// The size of a descriptor whose content is there with that size.
fn check_descriptor(descriptor: &Value, sizes: &HashMap<&String, u64>) -> Result<u64, Refusal> {
    let text = |member: &str| descriptor[member].as_str().filter(|text| !text.is_empty());
    let (Some(_), Some(digest), Some(size)) = (
        text("mediaType"),
        text("digest"),
        descriptor["size"].as_u64(),
    ) else {
        return Err(invalid(format!("descriptor {descriptor}")));
    };
    check_annotations(&descriptor["annotations"])?;
    match sizes.get(&digest.to_owned()) {
        None => {
            // Distribution's status.
            Err(error(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", digest).into())
        }
        Some(held) if *held != size => Err(invalid(format!(
            "{digest} has {held} bytes, the descriptor says {size}"
        ))),
        Some(_) => Ok(size),
    }
}

fn check_annotations(annotations: &Value) -> Result<(), Refusal> {
    let strings = match annotations {
        Value::Null => true,
        Value::Object(members) => members.values().all(Value::is_string),
        _ => false,
    };
    if strings {
        Ok(())
    } else {
        Err(invalid("annotations are strings"))
    }
}
