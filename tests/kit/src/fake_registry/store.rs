//! What the registry holds: blobs and manifests by repository. Blobs above
//! [`SPILL_ABOVE`] live in a temporary folder, so that pushing hundreds of
//! megabytes costs no memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use rattler_digest::Sha256;
use rattler_digest::digest::Digest as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

/// Bytes of an upload kept in memory before it moves to a file.
const SPILL_ABOVE: usize = 1 << 20;

/// `sha256:<hex>` of some bytes.
#[must_use]
pub fn sha256_digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The bytes of one blob; clones share them.
#[derive(Clone, Debug)]
pub(super) enum Blob {
    Memory(Bytes),
    File(Arc<Spilled>),
}

/// A file in the spill folder, removed with its last owner.
#[derive(Debug)]
pub(super) struct Spilled {
    path: PathBuf,
    len: u64,
}

impl Drop for Spilled {
    fn drop(&mut self) {
        // The folder goes with the registry anyway.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Blob {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.len,
        }
    }

    pub(super) fn read(&self) -> Bytes {
        match self {
            Self::Memory(bytes) => bytes.clone(),
            Self::File(file) => {
                let mut bytes = Vec::with_capacity(usize::try_from(file.len).unwrap_or(0));
                File::open(&file.path)
                    .and_then(|mut file| file.read_to_end(&mut bytes))
                    .expect("the spill folder lives as long as the registry");
                bytes.into()
            }
        }
    }

    /// The bytes `from..from + len` as a response body.
    pub(super) async fn body(&self, from: u64, len: u64) -> io::Result<Body> {
        match self {
            Self::Memory(bytes) => {
                let from = usize::try_from(from).map_err(io::Error::other)?;
                let len = usize::try_from(len).map_err(io::Error::other)?;
                Ok(Body::from(bytes.slice(from..from + len)))
            }
            Self::File(file) => {
                let mut reader = tokio::fs::File::open(&file.path).await?;
                reader.seek(SeekFrom::Start(from)).await?;
                let stream = ReaderStream::with_capacity(reader.take(len), 1 << 16);
                Ok(Body::from_stream(stream))
            }
        }
    }
}

/// A manifest as it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The content type of the PUT.
    pub media_type: String,
    /// `sha256:<hex>` of the bytes.
    pub digest: String,
    /// The bytes, as pushed.
    pub bytes: Bytes,
}

#[derive(Default)]
pub(super) struct Repository {
    pub(super) blobs: HashMap<String, Blob>,
    pub(super) manifests: HashMap<String, StoredManifest>,
    /// Tag to manifest digest.
    pub(super) tags: BTreeMap<String, String>,
    /// Whether a manifest was ever pushed: tags/list is 404 before.
    pub(super) published: bool,
}

impl Repository {
    pub(super) fn manifest(&self, reference: &str) -> Option<&StoredManifest> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests.get(digest)
    }
}

/// An upload session between its requests.
pub(super) struct Session {
    pub(super) repository: String,
    /// The opaque `_state` that the next request must bring.
    pub(super) state: String,
    /// `None` while a PUT has it.
    pub(super) incoming: Option<Incoming>,
}

/// All repositories and open sessions.
pub(super) struct Store {
    repositories: Mutex<BTreeMap<String, Repository>>,
    sessions: Mutex<HashMap<String, Session>>,
    spill: TempDir,
    spilled: AtomicU64,
}

impl Store {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            repositories: Mutex::default(),
            sessions: Mutex::default(),
            spill: tempfile::Builder::new()
                .prefix("fake-registry-")
                .tempdir()?,
            spilled: AtomicU64::new(0),
        })
    }

    pub(super) fn repositories(&self) -> MutexGuard<'_, BTreeMap<String, Repository>> {
        self.repositories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn blob(&self, repository: &str, digest: &str) -> Option<Blob> {
        self.repositories()
            .get(repository)?
            .blobs
            .get(digest)
            .cloned()
    }

    pub(super) fn put_blob(&self, repository: &str, digest: &str, blob: Blob) {
        let mut repositories = self.repositories();
        let repository = repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(digest.to_owned(), blob);
    }

    pub(super) fn incoming(&self) -> Incoming {
        let number = self.spilled.fetch_add(1, Ordering::Relaxed);
        Incoming {
            hasher: Sha256::default(),
            memory: Vec::new(),
            file: None,
            path: self.spill.path().join(number.to_string()),
            len: 0,
        }
    }
}

/// Bytes on their way to become a blob.
pub(super) struct Incoming {
    hasher: Sha256,
    memory: Vec<u8>,
    file: Option<File>,
    path: PathBuf,
    len: u64,
}

impl Incoming {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        if self.file.is_none() && self.memory.len() + bytes.len() > SPILL_ABOVE {
            let mut file = File::create_new(&self.path)?;
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => {
                self.memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// The digest of what came and the blob made of it.
    pub(super) fn finish(mut self) -> (String, Blob) {
        let digest = format!(
            "sha256:{}",
            hex::encode(std::mem::take(&mut self.hasher).finalize())
        );
        let blob = if self.file.take().is_some() {
            let path = std::mem::take(&mut self.path);
            Blob::File(Arc::new(Spilled {
                path,
                len: self.len,
            }))
        } else {
            Blob::Memory(std::mem::take(&mut self.memory).into())
        };
        (digest, blob)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.file.is_some() {
            // The folder goes with the registry anyway.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Blob, SPILL_ABOVE, Store, sha256_digest};

    #[test]
    fn large_blobs_move_to_a_file_and_leave_with_their_last_owner() {
        let store = Store::new().expect("a temporary folder");
        let bytes: Vec<u8> = (0..SPILL_ABOVE * 2).map(|i| (i % 251) as u8).collect();
        let mut incoming = store.incoming();
        for chunk in bytes.chunks(300_000) {
            incoming.write(chunk).expect("the disk takes it");
        }
        let (digest, blob) = incoming.finish();
        assert_eq!(digest, sha256_digest(&bytes));
        let Blob::File(file) = &blob else {
            panic!("{} bytes stayed in memory", bytes.len());
        };
        let path = file.path.clone();
        assert_eq!(blob.read(), bytes);
        drop(blob);
        assert!(!path.exists());
    }
}
