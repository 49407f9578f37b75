//! From manifests to tags: blobs checked, manifests stored, tags moved. Those who tag in the same
//! repository at the same time share one sync and one rewrite of `index.json`.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::index::Tagged;
use super::repository::Repository;
use super::{FolderError, Shared, blob, index_file};
use crate::body::Body;
use crate::digest::Digest;
use crate::layout;
use crate::manifest::{MAX_MANIFEST, Manifest};

/// Writes the manifests as blobs, once every blob that any of them names is there.
pub(super) fn store_manifests(
    repository: &Repository,
    batch: &[(String, Bytes)],
) -> Result<Vec<Tagged>, FolderError> {
    let mut found = HashSet::new();
    let tagged = batch
        .iter()
        .map(|(tag, bytes)| {
            let manifest = checked(repository, tag, bytes, &mut found)?;
            Ok(Tagged {
                tag: tag.clone(),
                digest: Digest::of(bytes),
                size: bytes.len() as u64,
                media_type: manifest.media_type,
            })
        })
        .collect::<Result<Vec<_>, FolderError>>()?;
    for (tagged, (_, bytes)) in tagged.iter().zip(batch) {
        blob::put(repository, &tagged.digest, &Body::Memory(bytes.clone()))?;
    }
    Ok(tagged)
}

/// A manifest whose blobs are all there. `found` remembers those already looked at: the config is
/// the same in all.
fn checked(
    repository: &Repository,
    tag: &str,
    bytes: &[u8],
    found: &mut HashSet<(Digest, u64)>,
) -> Result<Manifest, FolderError> {
    let refuse = |why| FolderError::BadManifest {
        repository: repository.name.clone(),
        tag: tag.to_owned(),
        why,
    };
    if bytes.len() > MAX_MANIFEST {
        let why = format!(
            "it has {} bytes, and {MAX_MANIFEST} are the most readers take",
            bytes.len()
        );
        return Err(refuse(why));
    }
    let mut manifest = Manifest::from_bytes(bytes).map_err(|error| refuse(error.to_string()))?;
    if manifest.schema_version != 2 {
        return Err(refuse(format!(
            "schemaVersion is {}, not 2",
            manifest.schema_version
        )));
    }
    for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
        if found.contains(&(blob.digest, blob.size)) {
            continue;
        }
        let there = blob::size(&repository.blob(&blob.digest))?;
        if there != Some(blob.size) {
            return Err(FolderError::MissingBlob {
                repository: repository.name.clone(),
                tag: tag.to_owned(),
                digest: blob.digest,
                size: blob.size,
                found: there,
            });
        }
        found.insert((blob.digest, blob.size));
    }
    if manifest.media_type.is_empty() {
        layout::MANIFEST.clone_into(&mut manifest.media_type);
    }
    Ok(manifest)
}

/// Tags that wait for a commit, by repository. A repository is in the map as long as someone works
/// on its commits.
#[derive(Debug, Default)]
pub(super) struct Commits(Mutex<HashMap<String, Vec<Waiting>>>);

#[derive(Debug)]
struct Waiting {
    tagged: Vec<Tagged>,
    done: oneshot::Sender<Result<(), FolderError>>,
}

impl Commits {
    /// Has the tags moved and tells `done`. The first to come works until nobody waits any more;
    /// those who come meanwhile leave their tags to it. Blocks the thread.
    pub(super) fn submit(
        &self,
        shared: &Shared,
        repository: Repository,
        tagged: Vec<Tagged>,
        done: oneshot::Sender<Result<(), FolderError>>,
    ) {
        let waiting = Waiting { tagged, done };
        {
            let mut queues = self.0.lock().expect("no panic while the lock is held");
            if let Some(queue) = queues.get_mut(&repository.name) {
                queue.push(waiting);
                return;
            }
            queues.insert(repository.name.clone(), vec![waiting]);
        }
        let mut turn = Turn {
            commits: self,
            repository: &repository.name,
            over: false,
        };
        while let Some(batch) = turn.next_batch() {
            let (tagged, waiters): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .map(|waiting| (waiting.tagged, waiting.done))
                .unzip();
            let result = commit(shared, &repository, &tagged.concat());
            for waiter in waiters {
                // A caller that gave up waiting has no use for the answer.
                let _ = waiter.send(result.clone());
            }
        }
    }
}

#[cfg(test)]
impl Commits {
    /// How many wait for the next commit of a repository.
    pub(super) fn waiting(&self, repository: &str) -> usize {
        self.0
            .lock()
            .map_or(0, |queues| queues.get(repository).map_or(0, Vec::len))
    }

    /// Whether nobody works on any commit.
    pub(super) fn is_idle(&self) -> bool {
        self.0.lock().is_ok_and(|queues| queues.is_empty())
    }
}

/// The turn of the one who works on a repository's commits. If it panics the waiters learn of it
/// by their dropped channels, and the next to come starts afresh.
struct Turn<'a> {
    commits: &'a Commits,
    repository: &'a str,
    over: bool,
}

impl Turn<'_> {
    /// Everyone who waits now; `None` ends the turn.
    fn next_batch(&mut self) -> Option<Vec<Waiting>> {
        let mut queues = self
            .commits
            .0
            .lock()
            .expect("no panic while the lock is held");
        if let Some(queue) = queues.get_mut(self.repository)
            && !queue.is_empty()
        {
            return Some(std::mem::take(queue));
        }
        queues.remove(self.repository);
        self.over = true;
        None
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over
            && let Ok(mut queues) = self.commits.0.lock()
        {
            queues.remove(self.repository);
        }
    }
}

/// Blobs on disk first, then the index that names them, then its own name.
fn commit(shared: &Shared, repository: &Repository, tagged: &[Tagged]) -> Result<(), FolderError> {
    index_file::ensure_layout(repository)?;
    shared
        .flush
        .wait(&[&repository.dir, &repository.blobs()])
        .map_err(FolderError::io("sync the file system of", &repository.dir))?;
    {
        let _lock = index_file::lock(repository)?;
        if let Some(moved) = shared.indexes.load(repository)?.moved(tagged) {
            shared.indexes.replace(repository, moved)?;
        }
    }
    index_file::sync_names(repository)
}
