//! A folder of OCI image layouts, one per repository, the way zot stores them:
//! `ROOT/<repository>/{oci-layout,index.json,blobs/sha256/<hex>}`.
//!
//! What it promises:
//!
//! - **Atomic.** Blobs and `index.json` are written to `.tmp-…` beside their place and renamed, so
//!   readers see all of a file or none. A manifest is tagged only when each blob it names is there.
//! - **After `kill -9`** everything tagged is whole; what remains of the dead are `.tmp-…` files,
//!   which readers ignore and the first writer after an hour removes.
//! - **After power loss** as well. Small blobs are not synced one by one: one `syncfs` sweeps up
//!   all blobs and manifests of the commits that wait for it, and only then may `index.json` name
//!   them. `index.json` and its directory are synced before the call returns, so what a ledger
//!   calls done stays done. An untagged blob may be torn; [`Folder::put_blob`] therefore believes
//!   the content of a file that is already there, not its length.
//! - **Shared.** Any number of tasks and processes may write. `index.json` is changed under an
//!   advisory lock (`.lock` in the repository), held on a blocking thread only for that change.
//!   Programs that do not know the lock may read at any time, and write while no mirror does.
//! - **Contained.** Names are checked against the OCI grammar before they become paths, and below
//!   `ROOT` (which itself may be a link) no symbolic link is followed: one in the way is an error.
//!   This guards against strays, not against someone who changes the folder during a call.
//!
//! Replacing `index.json` costs time in proportion to its tags. Concurrent [`Folder::put_manifest`]
//! of one repository share a rewrite; [`Folder::put_manifests`] does a whole batch in one.
//!
//! Nothing is deleted: blobs that no tag reaches any more stay.
//!
//! A tag stands in `org.opencontainers.image.ref.name` as it is. The grammar that the image
//! specification has for that annotation knows no `__`, so `skopeo` cannot name the few tags with
//! an escaped `+`, `!` or `=` in an `oci:` path; it reads all others.

mod blob;
mod channels;
mod commit;
mod error;
mod flush;
mod index;
mod index_file;
mod repository;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::StoredManifest;
use crate::body::Body;
use crate::digest::Digest;
use crate::manifest::MAX_MANIFEST;

pub use self::blob::Put;
pub use self::channels::channels;
pub use self::error::FolderError;

use self::commit::Commits;
use self::flush::Flush;
use self::index_file::IndexCache;
use self::repository::{Repository, Swept};

/// A folder of image layouts, as a source or a destination. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Folder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    commits: Commits,
    flush: Flush,
    indexes: IndexCache,
    swept: Swept,
}

impl Folder {
    /// Opens a destination: creates the folder if it is missing and proves that it can be written.
    ///
    /// # Errors
    /// When it cannot be created or written, with path and remedy.
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        std::fs::create_dir_all(root).map_err(FolderError::io("create the folder", root))?;
        repository::temp_file(root).map_err(FolderError::io("write into", root))?;
        Self::open_source(root)
    }

    /// Opens a source: the folder must exist and need not be writable.
    ///
    /// # Errors
    /// When it is missing, no folder, or cannot be read.
    pub fn open_source(root: &Path) -> Result<Self, FolderError> {
        let opened = File::open(root).map_err(FolderError::io("open", root))?;
        let metadata = opened
            .metadata()
            .map_err(FolderError::io("look at", root))?;
        if !metadata.is_dir() {
            let error = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(FolderError::io("use as a folder", root)(error));
        }
        let shared = Shared {
            root: root.to_owned(),
            commits: Commits::default(),
            flush: Flush::new(opened),
            indexes: IndexCache::default(),
            swept: Swept::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The manifest at a tag or with a digest; `None` when there is none.
    ///
    /// A tag whose manifest blob is gone or damaged counts as none, so that a mirror pushes it anew.
    ///
    /// # Errors
    /// When a name is refused, `index.json` cannot be understood, the manifest is larger than
    /// [`MAX_MANIFEST`], or reading fails.
    pub async fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<StoredManifest>, FolderError> {
        let reference = repository::Reference::parse(reference)?;
        self.at(repository, move |shared, repository| {
            if !repository.exists()? {
                return Ok(None);
            }
            let digest = match reference {
                repository::Reference::Digest(digest) => Some(digest),
                repository::Reference::Tag(tag) => shared.indexes.load(&repository)?.digest(&tag),
            };
            let Some(digest) = digest else {
                return Ok(None);
            };
            let bytes = blob::read_verified(&repository, &digest, MAX_MANIFEST as u64)?;
            Ok(bytes.map(|bytes| StoredManifest { digest, bytes }))
        })
        .await
    }

    /// The tags of a repository, sorted; none when it does not exist.
    ///
    /// # Errors
    /// When the name is refused, or `index.json` cannot be read or understood.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, FolderError> {
        self.at(repository, |shared, repository| {
            if !repository.exists()? {
                return Ok(Vec::new());
            }
            Ok(shared.indexes.load(&repository)?.tags())
        })
        .await
    }

    /// The size of a blob in bytes; `None` when it is not there.
    ///
    /// # Errors
    /// When the name is refused, or the file cannot be looked at.
    pub async fn blob_size(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<u64>, FolderError> {
        let digest = *digest;
        self.at(repository, move |_, repository| {
            if !repository.exists()? {
                return Ok(None);
            }
            blob::size(&repository.blob(&digest))
        })
        .await
    }

    /// A blob's size in bytes and its file, opened at the start; `None` when it is not there. The
    /// content is not verified.
    ///
    /// # Errors
    /// When the name is refused, or the file cannot be opened.
    pub async fn open_blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<(u64, tokio::fs::File)>, FolderError> {
        let digest = *digest;
        self.at(repository, move |_, repository| {
            if !repository.exists()? {
                return Ok(None);
            }
            let opened = blob::open(&repository.blob(&digest))?;
            Ok(opened.map(|(size, file)| (size, tokio::fs::File::from_std(file))))
        })
        .await
    }

    /// Stores a blob; one that is there with this content is left alone.
    ///
    /// # Errors
    /// When the name is refused, the bytes do not have this digest and length (nothing is stored
    /// then), or writing fails.
    pub async fn put_blob(
        &self,
        repository: &str,
        digest: &Digest,
        body: &Body,
    ) -> Result<Put, FolderError> {
        let (digest, body) = (*digest, body.clone());
        self.at(repository, move |shared, repository| {
            repository.prepare(&shared.swept)?;
            blob::put(&repository, &digest, &body)
        })
        .await
    }

    /// Stores a manifest and moves the tag to it. When this returns, both survive power loss.
    ///
    /// # Errors
    /// As [`Folder::put_manifests`].
    pub async fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        bytes: &Bytes,
    ) -> Result<Digest, FolderError> {
        let digest = Digest::of(bytes);
        let batch = vec![(tag.to_owned(), bytes.clone())];
        self.put_manifests(repository, batch).await?;
        Ok(digest)
    }

    /// Stores manifests and moves their tags in one rewrite of `index.json`, all or none. Digests
    /// come in the order of the batch; of two entries with one tag the later wins.
    ///
    /// # Errors
    /// When a name is refused, a manifest is too large or none, a blob it names is missing or has
    /// another size, `index.json` cannot be understood, or writing fails.
    pub async fn put_manifests(
        &self,
        repository: &str,
        batch: Vec<(String, Bytes)>,
    ) -> Result<Vec<Digest>, FolderError> {
        for (tag, _) in &batch {
            repository::check_tag(tag)?;
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (done, committed) = oneshot::channel();
        let digests = self
            .at(repository, move |shared, repository| {
                repository.prepare(&shared.swept)?;
                let tagged = commit::store_manifests(&repository, &batch)?;
                let digests = tagged.iter().map(|tagged| tagged.digest).collect();
                shared.commits.submit(shared, repository, tagged, done);
                Ok(digests)
            })
            .await?;
        committed.await.unwrap_or(Err(FolderError::Interrupted))?;
        Ok(digests)
    }

    /// Runs file work on a blocking thread, one hop for a whole operation. It goes on to its end
    /// even if the caller is dropped.
    async fn at<T: Send + 'static>(
        &self,
        repository: &str,
        work: impl FnOnce(&Shared, Repository) -> Result<T, FolderError> + Send + 'static,
    ) -> Result<T, FolderError> {
        let repository = Repository::new(&self.shared.root, repository)?;
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || work(&shared, repository)).await {
            Ok(result) => result,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(FolderError::Interrupted),
            },
        }
    }
}

#[cfg(test)]
mod tests;
