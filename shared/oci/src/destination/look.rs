//! Looks at blobs that should be there, without keeping any of their bytes.

use futures::StreamExt as _;
use rattler_digest::digest::Digest as _;

use super::{Destination, DestinationError, Result, SILENCE};
use crate::Digest;
use crate::manifest::Descriptor;
use crate::registry::few_tries;

/// What a look at a blob showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// As far as was looked it is what its descriptor says.
    Sound,
    /// The repository does not have it.
    Absent,
    /// It has another size.
    OtherSize(u64),
    /// Its bytes have another digest. The size is of the bytes that came; no more are read than the descriptor says,
    /// and one.
    OtherBytes {
        /// Of what came.
        digest: Digest,
        /// In bytes.
        size: u64,
    },
}

impl Destination {
    /// Asks whether a blob is there and has its size. One request.
    ///
    /// # Errors
    /// When the destination cannot be asked.
    pub async fn look_at_blob(&self, repository: &str, blob: &Descriptor) -> Result<Seen> {
        let size = match self {
            Self::Registry(registry) => {
                let mut delays = few_tries();
                loop {
                    match registry.look_for_blob(repository, &blob.digest).await {
                        Err(error) if mirror_runtime::Disposed::is_transient(&error) => {
                            let Some(delay) = delays.next() else {
                                return Err(error.into());
                            };
                            tokio::time::sleep(delay).await;
                        }
                        settled => break settled?,
                    }
                }
            }
            Self::Folder(folder) => folder.blob_size(repository, &blob.digest).await?,
        };
        Ok(match size {
            None => Seen::Absent,
            // A registry that hides the length.
            Some(u64::MAX) => Seen::Sound,
            Some(size) if size == blob.size => Seen::Sound,
            Some(size) => Seen::OtherSize(size),
        })
    }

    /// Reads a blob to its end and compares its bytes with its digest. What may pass by itself is tried again a few times.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn hash_blob(&self, repository: &str, blob: &Descriptor) -> Result<Seen> {
        let mut delays = few_tries();
        loop {
            let error = match self.try_hash_blob(repository, blob).await {
                Ok(seen) => return Ok(seen),
                // What is not there may say so in other ways.
                Err(error) => match self.look_at_blob(repository, blob).await? {
                    Seen::Absent => return Ok(Seen::Absent),
                    _ => error,
                },
            };
            if !mirror_runtime::Disposed::is_transient(&error) {
                return Err(error);
            }
            let Some(delay) = delays.next() else {
                return Err(error);
            };
            tokio::time::sleep(delay).await;
        }
    }

    async fn try_hash_blob(&self, repository: &str, blob: &Descriptor) -> Result<Seen> {
        let failed = |problem: String| DestinationError::Blob {
            repository: repository.to_owned(),
            digest: blob.digest,
            problem,
        };
        let Some(mut bytes) = self.read_blob(repository, &blob.digest).await? else {
            return Ok(Seen::Absent);
        };
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
            sha256.update(&chunk);
            if size > blob.size {
                break;
            }
        }
        let digest = Digest::from_sha256(sha256.finalize().into());
        Ok(match digest == blob.digest && size == blob.size {
            true => Seen::Sound,
            false => Seen::OtherBytes { digest, size },
        })
    }
}
