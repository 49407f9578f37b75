//! A folder that belongs to one process among several on a machine, and is swept away by the next one if that was killed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::spool::SpoolError;

/// What the names of such folders begin with.
const PREFIX: &str = "process-";
/// The file that is locked for as long as the process lives; beside the folders, it is held while they are made and swept.
const LOCK: &str = "lock";

/// A folder of this process alone; removed when dropped.
#[derive(Debug)]
pub struct OwnFolder {
    path: PathBuf,
    _lock: File,
}

impl OwnFolder {
    /// Makes one in `parent`, and removes those that killed processes left there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn make(parent: &Path) -> Result<Self, SpoolError> {
        let made = || {
            fs::create_dir_all(parent)?;
            let one_at_a_time = lock_file(parent)?;
            one_at_a_time.lock()?;
            sweep(parent)?;
            let path = tempfile::Builder::new()
                .prefix(PREFIX)
                .tempdir_in(parent)?
                .keep();
            let lock = lock_file(&path)?;
            lock.lock()?;
            Ok(Self { path, _lock: lock })
        };
        made().map_err(|error| SpoolError::io(parent, error))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        // What stays is swept by the next process.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn lock_file(folder: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
}

fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_one = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !is_one || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        match sweep_one(&entry.path()) {
            // Its process ended meanwhile and took it along.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            swept => swept?,
        }
    }
    Ok(())
}

/// Removes a folder whose process is dead.
fn sweep_one(folder: &Path) -> io::Result<()> {
    let lock = lock_file(folder)?;
    match lock.try_lock() {
        Ok(()) => fs::remove_dir_all(folder),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_a_living_one_has_stays() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join("process-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("package"), "x").unwrap();
        fs::write(dir.path().join("of-somebody-else"), "x").unwrap();
        let living = OwnFolder::make(dir.path()).unwrap();
        assert!(!left.exists());
        fs::write(living.path().join("package"), "x").unwrap();
        let second = OwnFolder::make(dir.path()).unwrap();
        assert!(living.path().join("package").exists());
        assert_ne!(living.path(), second.path());
        assert!(dir.path().join("of-somebody-else").exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn processes_that_come_and_go_at_once_do_not_stumble_over_each_other() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let own = OwnFolder::make(dir.path()).unwrap();
                        fs::write(own.path().join("package"), "x").unwrap();
                    }
                });
            }
        });
    }
}
