//! The spool: a folder for files in transit, with a budget of bytes that is handed out in turn.
//!
//! Each file is one reservation, made before its first byte and given back with the file. Whoever
//! came first is served first, and nobody waits for a second reservation while holding one.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mirror_runtime::local::{plain, remedy};
use mirror_runtime::{Disposed, Disposition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reservations are counted in units of this many bytes.
const UNIT: u64 = 4096;

/// A file that cannot be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Larger than the whole budget.
    #[error("the file has {size} bytes and the spool may hold {budget}; raise --spool-size")]
    TooLarge {
        /// The file.
        size: u64,
        /// The budget.
        budget: u64,
    },
    /// More of it came than the whole budget; its record does not say how large it is. It rests, because every run
    /// would download as much again only to find that out.
    #[error(
        "the file is larger than the {budget} bytes that the spool may hold; raise --spool-size and run again with --retry-failed"
    )]
    Full {
        /// The budget.
        budget: u64,
    },
    /// The folder cannot be written.
    #[error("cannot write to the spool folder {}: {error}; {} (--spool)", path.display(), remedy(error))]
    Io {
        /// The folder.
        path: PathBuf,
        /// The operating system's answer.
        error: std::io::Error,
    },
}

impl SpoolError {
    pub(crate) fn io(path: &Path, error: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            error: plain(error),
        }
    }
}

impl Disposed for SpoolError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::TooLarge { .. } | Self::Full { .. } => Disposition::Permanent,
            Self::Io { .. } => Disposition::Local,
        }
    }
}

/// The spool of one process.
#[derive(Debug, Clone)]
pub struct Spool {
    dir: Arc<PathBuf>,
    budget: u64,
    /// All of its units. One reservation can ask for no more than a `u32`, so a larger spool lends
    /// out no more than that.
    whole: u32,
    units: Arc<Semaphore>,
    followers: Arc<Semaphore>,
}

/// Leave for one thread to follow a file while it comes.
pub(crate) type Follow = OwnedSemaphorePermit;

/// Room for one file in the spool; removes the file and gives the room back when dropped.
#[derive(Debug)]
pub struct Reservation {
    path: tempfile::TempPath,
    _units: OwnedSemaphorePermit,
}

impl Reservation {
    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Spool {
    /// A spool of `budget` bytes in `dir`. What an earlier process left there is removed: the caller
    /// holds the lock that says nobody else uses it.
    ///
    /// # Errors
    /// When the folder cannot be made or emptied.
    pub fn open(dir: PathBuf, budget: u64) -> Result<Self, SpoolError> {
        empty_folder(&dir)?;
        let whole = u32::try_from(budget / UNIT).unwrap_or(u32::MAX);
        let units = usize::try_from(whole)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Ok(Self {
            dir: Arc::new(dir),
            budget,
            whole,
            units: Arc::new(Semaphore::new(units)),
            followers: Arc::new(Semaphore::new(followers(cores()))),
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many bytes it may hold.
    #[must_use]
    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// Leave to follow a file while it comes, unless as many threads as there are cores, or 32, do so already: more would
    /// only take threads away from those that write the files they wait for.
    pub(crate) fn try_follow(&self) -> Option<Follow> {
        Arc::clone(&self.followers).try_acquire_owned().ok()
    }

    /// Waits for room for a file of `size` bytes; a file of unknown size gets the whole spool.
    ///
    /// # Errors
    /// At once when the file can never fit, or when no file can be made.
    pub async fn reserve(&self, size: Option<u64>) -> Result<Reservation, SpoolError> {
        let size = size.unwrap_or(self.budget);
        if size > self.budget {
            return Err(SpoolError::TooLarge {
                size,
                budget: self.budget,
            });
        }
        let units = u32::try_from(size.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let units = Arc::clone(&self.units)
            .acquire_many_owned(units.min(self.whole))
            .await
            .expect("the semaphore is never closed");
        let file = tempfile::Builder::new()
            .prefix("transfer-")
            .tempfile_in(self.dir())
            .map_err(|error| SpoolError::io(self.dir(), error))?;
        Ok(Reservation {
            path: file.into_temp_path(),
            _units: units,
        })
    }
}

/// The most files that are followed at once, however many cores there are: each takes one of the threads that may block,
/// of which there are 512, and waits on it for its download.
const MOST_FOLLOWERS: usize = 32;

fn followers(cores: usize) -> usize {
    cores.min(MOST_FOLLOWERS)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Makes a folder if there is none, and removes the files in it: what a dead process left behind.
///
/// # Errors
/// When the folder cannot be made or emptied.
pub fn empty_folder(dir: &Path) -> Result<(), SpoolError> {
    let io = |error| SpoolError::io(dir, error);
    std::fs::create_dir_all(dir).map_err(io)?;
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let removed = match entry.file_type().map_err(io)?.is_dir() {
            true => std::fs::remove_dir_all(entry.path()),
            false => std::fs::remove_file(entry.path()),
        };
        removed.map_err(io)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_file_waits_for_room_in_turn_and_its_file_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path().into(), 10 * UNIT).unwrap();
        let first = spool.reserve(Some(8 * UNIT)).await.unwrap();
        let large = spool.reserve(Some(9 * UNIT));
        let small = spool.reserve(Some(UNIT));
        tokio::pin!(large, small);
        assert!(large.as_mut().now_or_never().is_none());
        assert!(
            small.as_mut().now_or_never().is_none(),
            "a small file must not overtake a large one"
        );
        let path = first.path().to_path_buf();
        assert!(path.exists());
        drop(first);
        assert!(!path.exists());
        large.await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_can_never_fit_fails_at_once_and_names_the_option() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path().into(), 10 * UNIT).unwrap();
        let error = spool.reserve(Some(11 * UNIT)).await.unwrap_err();
        assert!(error.to_string().contains("--spool-size"));
        assert!(spool.reserve(None).await.is_ok());
    }

    #[tokio::test]
    async fn a_spool_past_the_units_of_one_reservation_still_takes_a_file_of_unknown_size() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path().into(), 20 << 40).unwrap();
        let whole = spool.reserve(None).await.unwrap();
        let small = spool.reserve(Some(UNIT));
        tokio::pin!(small);
        assert!(small.as_mut().now_or_never().is_none(), "nothing is left");
        drop(whole);
        small.await.unwrap();
    }

    #[test]
    fn files_are_followed_by_no_more_threads_than_a_large_machine_can_spare() {
        assert_eq!([1, 8, 256].map(followers), [1, 8, MOST_FOLLOWERS]);
    }

    #[test]
    fn what_a_dead_process_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("transfer-x"), b"x").unwrap();
        Spool::open(dir.path().into(), UNIT).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
