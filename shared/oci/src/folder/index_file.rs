//! `index.json` and `oci-layout` on disk: read once per change, replaced atomically, changed only
//! under the repository's lock.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mirror_runtime::fail_point;
use serde::Deserialize;

use super::index::Index;
use super::repository::{Repository, temp_file};
use super::{FolderError, blob};

/// Largest `index.json` read, in bytes: about a million tags.
const MAX_INDEX: u64 = 256 * 1024 * 1024;
/// Bounds on what parsed indexes may hold in memory: text bytes, and files kept open.
const MAX_CACHED_BYTES: usize = 64 * 1024 * 1024;
const MAX_CACHED: usize = 32;
/// The only version of the image layout there is.
const LAYOUT_VERSION: &str = "1.0.0";

/// Parsed indexes, most recently used last.
#[derive(Debug, Default)]
pub(super) struct IndexCache(Mutex<Vec<Cached>>);

#[derive(Debug)]
struct Cached {
    path: PathBuf,
    stamp: Stamp,
    index: Arc<Index>,
    /// Kept open so that the inode number cannot be given to a newer `index.json`.
    _file: File,
}

/// What tells one `index.json` from another at the same path.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl IndexCache {
    /// The index as it is now; an empty one when there is no file.
    pub(super) fn load(&self, repository: &Repository) -> Result<Arc<Index>, FolderError> {
        let path = index_path(repository);
        if let Ok(metadata) = fs::symlink_metadata(&path)
            && let Some(index) = self.cached(&path, &Stamp::of(&metadata))
        {
            return Ok(index);
        }
        let Some((size, mut file)) = blob::open(&path)? else {
            return Ok(Arc::default());
        };
        if size > MAX_INDEX {
            let limit = MAX_INDEX;
            return Err(FolderError::TooLarge { path, size, limit });
        }
        let reading = FolderError::io("read", &path);
        let metadata = file.metadata().map_err(FolderError::io("look at", &path))?;
        let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        (&mut file)
            .take(MAX_INDEX)
            .read_to_end(&mut text)
            .map_err(reading)?;
        let broken = |why| FolderError::BrokenLayout {
            path: path.clone(),
            why,
        };
        let text = std::str::from_utf8(&text).map_err(|error| broken(error.to_string()))?;
        let index = Arc::new(Index::parse(text).map_err(broken)?);
        self.keep(path, file, &metadata, &index);
        Ok(index)
    }

    /// Replaces the index. The caller holds the [`lock`].
    pub(super) fn replace(&self, repository: &Repository, index: Index) -> Result<(), FolderError> {
        let path = index_path(repository);
        let text = index.to_text();
        let writing = FolderError::io("write", &path);
        let mut temp =
            temp_file(&repository.dir).map_err(FolderError::io("write into", &repository.dir))?;
        temp.write_all(text.as_bytes()).map_err(writing)?;
        temp.as_file()
            .sync_all()
            .map_err(FolderError::io("sync", &path))?;
        fail_point::hit_blocking("folder-index-before-rename");
        let file = temp
            .persist(&path)
            .map_err(|failed| FolderError::io("rename a temporary file to", &path)(failed.error))?;
        fail_point::hit_blocking("folder-index-after-rename");
        let metadata = file.metadata().map_err(FolderError::io("look at", &path))?;
        self.keep(path, file, &metadata, &Arc::new(index));
        Ok(())
    }

    fn cached(&self, path: &PathBuf, stamp: &Stamp) -> Option<Arc<Index>> {
        let mut cache = self.0.lock().expect("no panic while the lock is held");
        let at = cache.iter().position(|cached| cached.path == *path)?;
        let cached = cache.remove(at);
        if cached.stamp != *stamp {
            return None;
        }
        let index = Arc::clone(&cached.index);
        cache.push(cached);
        Some(index)
    }

    fn keep(&self, path: PathBuf, file: File, metadata: &Metadata, index: &Arc<Index>) {
        let mut cache = self.0.lock().expect("no panic while the lock is held");
        cache.retain(|cached| cached.path != path);
        cache.push(Cached {
            path,
            stamp: Stamp::of(metadata),
            index: Arc::clone(index),
            _file: file,
        });
        let mut bytes: usize = cache.iter().map(|cached| cached.index.weight()).sum();
        while bytes > MAX_CACHED_BYTES || cache.len() > MAX_CACHED {
            bytes -= cache.remove(0).index.weight();
        }
    }
}

/// Takes the repository's lock, released when the file is dropped. Blocks the thread.
pub(super) fn lock(repository: &Repository) -> Result<File, FolderError> {
    let path = repository.dir.join(".lock");
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path);
    let file = opened.map_err(FolderError::io("open the lock file", &path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(FolderError::io("lock", &path)(error)),
    }
    tracing::debug!(path = %path.display(), "waiting for another process that changes this index.json");
    file.lock().map_err(FolderError::io("lock", &path))?;
    Ok(file)
}

/// Sees to it that `oci-layout` says what it must. One that cannot be read (torn by power loss) is
/// written again, another version is refused.
pub(super) fn ensure_layout(repository: &Repository) -> Result<(), FolderError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Layout {
        image_layout_version: String,
    }
    let path = repository.dir.join("oci-layout");
    if let Some((_, file)) = blob::open(&path)? {
        let mut text = Vec::new();
        file.take(4096)
            .read_to_end(&mut text)
            .map_err(FolderError::io("read", &path))?;
        match serde_json::from_slice::<Layout>(&text) {
            Ok(layout) if layout.image_layout_version == LAYOUT_VERSION => return Ok(()),
            Ok(layout) => {
                let why = format!(
                    "imageLayoutVersion is {}, not {LAYOUT_VERSION}",
                    layout.image_layout_version
                );
                return Err(FolderError::BrokenLayout { path, why });
            }
            Err(_) => {}
        }
    }
    let mut temp =
        temp_file(&repository.dir).map_err(FolderError::io("write into", &repository.dir))?;
    temp.write_all(format!(r#"{{"imageLayoutVersion":"{LAYOUT_VERSION}"}}"#).as_bytes())
        .map_err(FolderError::io("write", &path))?;
    temp.persist(&path)
        .map_err(|failed| FolderError::io("rename a temporary file to", &path)(failed.error))?;
    Ok(())
}

/// Puts the renames in the repository's folder on disk.
pub(super) fn sync_names(repository: &Repository) -> Result<(), FolderError> {
    let dir = &repository.dir;
    let synced = File::open(dir).and_then(|opened| opened.sync_all());
    synced.map_err(FolderError::io("sync", dir))
}

fn index_path(repository: &Repository) -> PathBuf {
    repository.dir.join("index.json")
}
