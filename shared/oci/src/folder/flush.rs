//! A sync of the root's whole file system that many waiters share. Folders below the root may be
//! mounts of others, which are synced besides.
//!
//! Syncing each small blob alone costs a journal commit each. Here whoever needs earlier writes on
//! disk waits for one `syncfs` that *began after* its call; all who arrive while one runs share the
//! next. It also writes out what others have dirty on that file system, which they would soon do
//! anyway.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Condvar, Mutex};

const POISONED: &str = "no panic while the lock is held";

#[derive(Debug)]
pub(super) struct Flush {
    root: File,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    /// How many flushes have ended; the running one has the next number.
    ended: u64,
    /// Number and error of the last flush that failed. The kernel tells each error once, so whoever
    /// that flush was for must hear of it even if a later one went well.
    failed: Option<(u64, i32)>,
}

impl Flush {
    /// For the file system that holds `root`, an open folder.
    pub(super) fn new(root: File) -> Self {
        Self {
            root,
            state: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// Returns when everything written before the call is on disk, in the root's file system and in
    /// those of `folders`. Blocks the thread.
    pub(super) fn wait(&self, folders: &[&Path]) -> io::Result<()> {
        self.wait_for(self.next(), || sync(&self.root))?;
        self.elsewhere(folders)?.iter().try_for_each(sync)
    }

    /// One folder of each file system that is not the root's.
    fn elsewhere(&self, folders: &[&Path]) -> io::Result<Vec<File>> {
        let mut devices = vec![self.root.metadata()?.dev()];
        let mut opened = Vec::new();
        for folder in folders {
            let device = std::fs::metadata(folder)?.dev();
            if !devices.contains(&device) {
                devices.push(device);
                opened.push(File::open(folder)?);
            }
        }
        Ok(opened)
    }

    /// The number of the first flush that begins after now.
    fn next(&self) -> u64 {
        let state = self.state.lock().expect(POISONED);
        state.ended + 1 + u64::from(state.running)
    }

    fn wait_for(&self, needed: u64, sync: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state.lock().expect(POISONED);
        while state.ended < needed {
            if state.running {
                state = self.ended.wait(state).expect(POISONED);
                continue;
            }
            state.running = true;
            drop(state);
            let result = sync();
            state = self.state.lock().expect(POISONED);
            state.running = false;
            state.ended += 1;
            if let Err(error) = result {
                let eio = rustix::io::Errno::IO.raw_os_error();
                state.failed = Some((state.ended, error.raw_os_error().unwrap_or(eio)));
            }
            self.ended.notify_all();
        }
        match state.failed {
            Some((number, error)) if number >= needed => Err(io::Error::from_raw_os_error(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(target_os = "linux")]
fn sync(root: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(root)?)
}

#[cfg(not(target_os = "linux"))]
fn sync(_root: &File) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

    use super::*;

    fn flush() -> Flush {
        Flush::new(File::open("/").unwrap())
    }

    #[test]
    fn those_who_come_during_a_sync_share_the_next_one() {
        let flush = flush();
        let late = Cell::new((0, 0));
        let first = flush.next();
        flush
            .wait_for(first, || {
                late.set((flush.next(), flush.next()));
                Ok(())
            })
            .unwrap();
        assert_eq!(
            late.get(),
            (first + 1, first + 1),
            "the sync that ran does not count for them"
        );
        let syncs = Cell::new(0);
        for needed in [late.get().0, late.get().1, first] {
            flush
                .wait_for(needed, || {
                    syncs.set(syncs.get() + 1);
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(syncs.get(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_file_system_below_the_root_is_synced_once_besides() {
        let flush = flush();
        let folders = ["/", "/proc", "/proc/self"].map(Path::new);
        let opened = flush.elsewhere(&folders).unwrap();
        let proc = std::fs::metadata("/proc").unwrap().dev();
        let devices: Vec<_> = opened.iter().map(|f| f.metadata().unwrap().dev()).collect();
        assert_eq!(devices, [proc]);
        flush.wait(&folders).unwrap();
    }

    #[test]
    fn a_failed_sync_is_told_to_those_it_was_for_and_not_to_later_ones() {
        let flush = flush();
        let full = rustix::io::Errno::NOSPC.raw_os_error();
        let needed = flush.next();
        for _ in 0..2 {
            let told = flush
                .wait_for(needed, || Err(io::Error::from_raw_os_error(full)))
                .unwrap_err();
            assert_eq!(told.kind(), io::ErrorKind::StorageFull);
        }
        flush.wait(&[]).unwrap();
        let told = flush.wait_for(needed, || Ok(())).unwrap_err();
        assert_eq!(
            told.kind(),
            io::ErrorKind::StorageFull,
            "even if a later one went well"
        );
    }
}
