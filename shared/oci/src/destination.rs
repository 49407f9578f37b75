//! Where a mirror is written to: a registry or a folder, with the same operations.

mod error;
mod look;

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mirror_runtime::Disposed as _;
use mirror_runtime::telemetry::{Step, step};
use rattler_digest::digest::Digest as _;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use crate::folder::{Folder, Put};
use crate::local::plain;
use crate::manifest::Descriptor;
use crate::registry::{Registry, few_tries};
use crate::spans;
use crate::{BlobStream, Body, Digest, Presence, Pushed, StoredManifest, layout, manifest};

pub use error::DestinationError;
pub use look::Seen;

/// A registry or a folder of image layouts.
#[derive(Debug)]
pub enum Destination {
    /// Over the network.
    Registry(Box<Registry>),
    /// On disk.
    Folder(Folder),
}

/// A blob that sends no byte for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, DestinationError>;

impl Destination {
    /// `host[:port]`; empty for a folder.
    #[must_use]
    pub fn host(&self) -> &str {
        match self {
            Self::Registry(registry) => registry.host(),
            Self::Folder(_) => "",
        }
    }

    /// The registry, if `other` is one at the same address: what one repository of it has, another can be given.
    #[must_use]
    pub fn shares_registry(&self, other: &Self) -> Option<&Registry> {
        match (self, other) {
            (Self::Registry(one), Self::Registry(other)) => one.is_same(other).then_some(&**one),
            _ => None,
        }
    }

    /// The manifest at a tag or digest, if there is one.
    ///
    /// # Errors
    /// When the destination cannot be asked.
    pub async fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<StoredManifest>> {
        match self {
            Self::Registry(registry) => Ok(registry.manifest(repository, reference).await?),
            Self::Folder(folder) => Ok(folder.manifest(repository, reference).await?),
        }
    }

    /// All tags of a repository; empty when there is no such repository.
    ///
    /// # Errors
    /// When the destination cannot be asked.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>> {
        match self {
            Self::Registry(registry) => Ok(registry.tags(repository).await?.unwrap_or_default()),
            Self::Folder(folder) => Ok(folder.tags(repository).await?),
        }
    }

    /// Pushes a blob, looking for it first where it may be there.
    ///
    /// # Errors
    /// When it is refused or cannot be stored.
    pub async fn push_blob(
        &self,
        repository: &str,
        digest: &Digest,
        body: &Body,
        presence: Presence,
    ) -> Result<Pushed> {
        let span = spans::blob(repository, digest, body.len());
        let pushing = async {
            match self {
                Self::Registry(registry) => Ok(registry
                    .push_blob(repository, digest, body, presence)
                    .await?),
                Self::Folder(folder) => match folder.put_blob(repository, digest, body).await? {
                    Put::Written => Ok(Pushed::Sent),
                    Put::Present => Ok(Pushed::Present),
                },
            }
        };
        step(Step::Blob, span, pushing).await
    }

    /// The registry, to which a blob of this length can be sent while it still grows. Into a folder it would hold one of
    /// few threads meanwhile, and in pieces it is sent when it is whole.
    #[must_use]
    pub fn takes_growing(&self, len: u64) -> Option<&Registry> {
        match self {
            Self::Registry(registry) => Some(registry.as_ref()).filter(|it| !it.is_chunked(len)),
            Self::Folder(_) => None,
        }
    }

    /// Sees to it that `repository` has the config blob; asks nothing where it is known to.
    ///
    /// # Errors
    /// When it is refused or cannot be stored.
    pub async fn ensure_config(&self, repository: &str) -> Result<()> {
        match self {
            Self::Registry(registry) => Ok(registry.ensure_config(repository).await?),
            Self::Folder(folder) => {
                let body = Body::Memory(Bytes::from_static(layout::CONFIG_BYTES));
                folder
                    .put_blob(repository, &manifest::config().digest, &body)
                    .await?;
                Ok(())
            }
        }
    }

    /// Forgets that `repository` is known to have the config blob.
    pub fn forget_config(&self, repository: &str) {
        if let Self::Registry(registry) = self {
            registry.forget_config(repository);
        }
    }

    /// Puts a manifest at a tag.
    ///
    /// # Errors
    /// When it is refused ([`DestinationError::is_blob_unknown`]) or cannot be stored.
    pub async fn put_manifest(&self, repository: &str, tag: &str, bytes: &Bytes) -> Result<Digest> {
        let span = spans::manifest(repository, tag);
        let putting = async {
            match self {
                Self::Registry(registry) => {
                    Ok(registry.put_manifest(repository, tag, bytes).await?)
                }
                Self::Folder(folder) => Ok(folder.put_manifest(repository, tag, bytes).await?),
            }
        };
        step(Step::Manifest, span, putting).await
    }

    /// Puts many manifests of one repository, `at_once` of them at a time. A folder writes its index
    /// once for all of them.
    ///
    /// # Errors
    /// As [`Destination::put_manifest`]; some may then be in place.
    pub async fn put_manifests(
        &self,
        repository: &str,
        manifests: Vec<(String, Bytes)>,
        at_once: usize,
    ) -> Result<()> {
        match self {
            Self::Registry(registry) => {
                stream::iter(&manifests)
                    .map(|(tag, bytes)| registry.put_manifest(repository, tag, bytes))
                    .buffer_unordered(at_once)
                    .try_for_each(|_| std::future::ready(Ok(())))
                    .await?;
            }
            Self::Folder(folder) => {
                folder.put_manifests(repository, manifests).await?;
            }
        }
        Ok(())
    }

    /// Copies a blob into a new file in `dir` and verifies size and digest on the way. What may
    /// pass by itself is tried again a few times. One of more than `max` bytes is not asked for.
    ///
    /// # Errors
    /// When its descriptor says that it is larger than `max`, it is not there, is not what its descriptor says, or cannot be stored.
    pub async fn fetch_blob(
        &self,
        repository: &str,
        blob: &Descriptor,
        max: u64,
        dir: &Path,
    ) -> Result<tempfile::NamedTempFile> {
        if blob.size > max {
            return Err(DestinationError::TooLarge {
                repository: repository.to_owned(),
                digest: blob.digest,
                size: blob.size,
                max,
            });
        }
        let mut delays = few_tries();
        loop {
            match self.try_fetch_blob(repository, blob, dir).await {
                Err(error) if error.is_transient() && !error.is_blob_unknown() => {
                    let Some(delay) = delays.next() else {
                        return Err(error);
                    };
                    tracing::debug!(repository, digest = %blob.digest, %error, "reading a blob failed, trying again");
                    tokio::time::sleep(delay).await;
                }
                settled => return settled,
            }
        }
    }

    async fn try_fetch_blob(
        &self,
        repository: &str,
        blob: &Descriptor,
        dir: &Path,
    ) -> Result<tempfile::NamedTempFile> {
        let failed = |problem: String| DestinationError::Blob {
            repository: repository.to_owned(),
            digest: blob.digest,
            problem,
        };
        let local = |error: io::Error| DestinationError::Spool {
            repository: repository.to_owned(),
            digest: blob.digest,
            dir: dir.to_owned(),
            error: plain(error),
        };
        let Some(mut bytes) = self.read_blob(repository, &blob.digest).await? else {
            return Err(DestinationError::BlobMissing {
                repository: repository.to_owned(),
                digest: blob.digest,
            });
        };
        let target = tempfile::NamedTempFile::new_in(dir).map_err(local)?;
        let mut file = tokio::fs::File::create(target.path())
            .await
            .map_err(local)?;
        let mut sha256 = rattler_digest::Sha256::new();
        let mut size = 0;
        loop {
            let next = tokio::time::timeout(SILENCE, bytes.next()).await;
            let silent = |_| failed(format!("no byte came for {} s", SILENCE.as_secs()));
            let Some(chunk) = next.map_err(silent)? else {
                break;
            };
            let chunk = chunk.map_err(|error| failed(error.to_string()))?;
            size += chunk.len() as u64;
            if size > blob.size {
                return Err(failed(format!(
                    "it is longer than the {} bytes its manifest says",
                    blob.size
                )));
            }
            sha256.update(&chunk);
            file.write_all(&chunk).await.map_err(local)?;
        }
        file.flush().await.map_err(local)?;
        let got = Digest::from_sha256(sha256.finalize().into());
        if got != blob.digest || size != blob.size {
            return Err(failed(format!("{size} bytes with digest {got} came")));
        }
        Ok(target)
    }

    /// A blob's bytes as they come, unverified; `None` when it is not there. One try.
    ///
    /// # Errors
    /// When the destination cannot be asked.
    pub async fn read_blob(&self, repository: &str, digest: &Digest) -> Result<Option<BlobStream>> {
        match self {
            Self::Registry(registry) => Ok(registry.read_blob(repository, digest).await?),
            Self::Folder(folder) => {
                let opened = folder.open_blob(repository, digest).await?;
                Ok(opened.map(|(_, file)| {
                    ReaderStream::with_capacity(file, 64 * 1024)
                        .into_stream()
                        .boxed()
                }))
            }
        }
    }
}
