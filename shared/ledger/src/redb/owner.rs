//! The lock on a ledger and the name of who has it: a sidecar `<file>.owner`, locked for as long
//! as the ledger is open, with the owner's process id and command line in it.
//!
//! The lock is the operating system's and dies with the process; a sidecar that is left over says
//! nothing. redb locks its own file as well, but lets go of it when it must be opened again.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of an owner's name that are written and read.
const NAME_LIMIT: usize = 512;

/// The locked sidecar.
#[derive(Debug)]
pub(super) struct OwnerLock {
    file: File,
    name: String,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NotOwner {
    Held { by: String },
    Refused(io::Error),
}

impl From<io::Error> for NotOwner {
    fn from(error: io::Error) -> Self {
        Self::Refused(error)
    }
}

impl OwnerLock {
    /// Locks the sidecar of `ledger`. The name is written later, by [`OwnerLock::sign`].
    pub(super) fn take(ledger: &Path, owner: &str) -> Result<Self, NotOwner> {
        let path = sidecar(ledger);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let by = read_name(&mut file);
                return Err(NotOwner::Held { by });
            }
            // A file system without locks: redb's own lock is the one that counts then.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let name = one_line(&format!("process {}: {owner}", std::process::id()));
        Ok(Self { file, name })
    }

    /// Puts our name into the sidecar, in one write: who reads at the same time finds the old name
    /// or the new one in the first line.
    pub(super) fn sign(&mut self) -> io::Result<()> {
        let line = format!("{}\n", self.name);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(line.as_bytes())?;
        self.file.set_len(line.len() as u64)
    }

    /// Who signed last.
    pub(super) fn last_name(&mut self) -> String {
        read_name(&mut self.file)
    }
}

/// The sidecar's path.
pub(super) fn sidecar(ledger: &Path) -> PathBuf {
    let mut path = OsString::from(ledger);
    path.push(".owner");
    path.into()
}

fn read_name(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(NAME_LIMIT as u64).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    match (read, text.lines().next()) {
        (Ok(_), Some(line)) if !line.trim().is_empty() => one_line(line),
        _ => "another process".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    let mut line = text.replace(char::is_control, " ");
    line.truncate(line.floor_char_boundary(NAME_LIMIT - 1));
    line
}
