//! One repository's place below the root: names checked before they become paths, no link followed,
//! folders made when first written to, leftovers of dead writers swept away.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use super::FolderError;
use crate::digest::Digest;
use crate::layout;

/// How unfinished files begin. No repository component and no digest begins with a dot.
pub(super) const TEMP_PREFIX: &str = ".tmp-";
/// Nobody writes to one temporary file for this long without a change to it.
const STALE: Duration = Duration::from_secs(3600);
/// Names the layout itself uses; a repository of that name would clash with its parent's files.
const RESERVED: [&str; 3] = ["blobs", "index.json", "oci-layout"];
/// Bound on the memory of [`Swept`], a few MB; beyond it repositories are swept again.
const MAX_SWEPT: usize = 65_536;

/// A repository whose name is fit to be a path.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    pub(super) name: String,
    root: PathBuf,
    /// `ROOT/<repository>`.
    pub(super) dir: PathBuf,
}

/// A tag or a digest.
#[derive(Debug)]
pub(super) enum Reference {
    Tag(String),
    Digest(Digest),
}

/// Repositories already swept by this process.
#[derive(Debug, Default)]
pub(super) struct Swept(Mutex<HashSet<String>>);

impl Reference {
    pub(super) fn parse(text: &str) -> Result<Self, FolderError> {
        if layout::is_tag(text) {
            return Ok(Self::Tag(text.to_owned()));
        }
        text.parse()
            .map(Self::Digest)
            .map_err(|_| bad_reference(text))
    }
}

pub(super) fn check_tag(text: &str) -> Result<(), FolderError> {
    if layout::is_tag(text) {
        Ok(())
    } else {
        Err(bad_reference(text))
    }
}

fn bad_reference(text: &str) -> FolderError {
    FolderError::Reference(text.chars().take(300).collect())
}

impl Repository {
    /// Checks the name; touches no file.
    pub(super) fn new(root: &Path, name: &str) -> Result<Self, FolderError> {
        let refuse = |why| {
            let name = name.chars().take(300).collect();
            Err(FolderError::Repository { name, why })
        };
        if name.len() > layout::MAX_PATH {
            return refuse("it is longer than 255 bytes");
        }
        if !name.split('/').all(layout::is_component) {
            return refuse(
                "each part must be lower-case letters and digits with single separators",
            );
        }
        if name.split('/').any(|part| RESERVED.contains(&part)) {
            return refuse("`blobs`, `index.json` and `oci-layout` are files of the layout itself");
        }
        Ok(Self {
            name: name.to_owned(),
            root: root.to_owned(),
            dir: root.join(name),
        })
    }

    /// `blobs/sha256`.
    pub(super) fn blobs(&self) -> PathBuf {
        self.dir.join("blobs/sha256")
    }

    /// Where a blob lies or would.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// Whether its folders are there, and real ones.
    pub(super) fn exists(&self) -> Result<bool, FolderError> {
        for folder in self.folders() {
            if !is_real_folder(&folder)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes its folders, and removes what dead writers left, once per process.
    pub(super) fn prepare(&self, swept: &Swept) -> Result<(), FolderError> {
        for folder in self.folders() {
            if !is_real_folder(&folder)? {
                match fs::create_dir(&folder) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        is_real_folder(&folder)?;
                    }
                    made => made.map_err(FolderError::io("create the folder", &folder))?,
                }
            }
        }
        if swept.is_new(&self.name) {
            let now = SystemTime::now();
            sweep(&self.dir, now)?;
            sweep(&self.blobs(), now)?;
        }
        Ok(())
    }

    /// Every folder from below the root down to the blobs, outermost first.
    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let parts = self.name.split('/').chain(["blobs", "sha256"]);
        parts.scan(self.root.clone(), |path, part| {
            path.push(part);
            Some(path.clone())
        })
    }
}

impl Swept {
    fn is_new(&self, repository: &str) -> bool {
        let mut seen = self.0.lock().expect("no panic while the lock is held");
        if seen.contains(repository) {
            return false;
        }
        if seen.len() >= MAX_SWEPT {
            seen.clear();
        }
        seen.insert(repository.to_owned())
    }
}

/// A new temporary file in `dir`, readable as the umask says, removed unless it is persisted.
pub(super) fn temp_file(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(TEMP_PREFIX)
        .rand_bytes(12)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(dir)
}

fn is_real_folder(path: &Path) -> Result<bool, FolderError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(true),
        Ok(metadata) if metadata.is_symlink() => Err(FolderError::Link(path.to_owned())),
        Ok(_) => Err(FolderError::InTheWay {
            path: path.to_owned(),
            expected: "folder",
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FolderError::io("look at", path)(error)),
    }
}

/// Removes temporary files that nobody has written to for [`STALE`]. Younger ones may belong to a
/// living process.
fn sweep(dir: &Path, now: SystemTime) -> Result<(), FolderError> {
    let entries = fs::read_dir(dir).map_err(FolderError::io("list", dir))?;
    for entry in entries {
        let entry = entry.map_err(FolderError::io("list", dir))?;
        if !entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(TEMP_PREFIX.as_bytes())
        {
            continue;
        }
        // Another process may sweep at the same time: what is gone is gone.
        let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) else {
            continue;
        };
        if now.duration_since(modified).is_ok_and(|age| age >= STALE) {
            tracing::debug!(path = %entry.path().display(), "removing what a dead writer left");
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}
