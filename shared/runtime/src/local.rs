//! What this machine's file system refuses, in words a person can act on.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustix::io::Errno;

/// The operating system's own error below wrappers that repeat the path: its number says what is to be done, and
/// whoever reports it names the path already.
#[must_use]
pub fn plain(error: io::Error) -> io::Error {
    errno(&error).map_or(error, io::Error::from_raw_os_error)
}

/// Whether the process has as many files and connections open as it may.
#[must_use]
pub fn is_out_of_descriptors(error: &(dyn Error + 'static)) -> bool {
    let full = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    let mut next = Some(error);
    while let Some(error) = next {
        let number = error.downcast_ref().and_then(errno);
        if number.is_some_and(|number| full.contains(&number)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// What a person can do about a refusal of the file system.
#[must_use]
pub fn remedy(error: &io::Error) -> &'static str {
    if is_out_of_descriptors(error) {
        return "raise the limit of open files (`ulimit -n`) or use fewer --workers";
    }
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room on that disk or choose another folder"
        }
        ErrorKind::ReadOnlyFilesystem => "mount it writable or choose another folder",
        ErrorKind::PermissionDenied => "give this user access to it or choose another folder",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file stands where a folder is needed: move it away or choose another folder"
        }
        ErrorKind::IsADirectory => {
            "a folder stands where a file is needed: move it away or choose another folder"
        }
        ErrorKind::NotFound => "see that the path is spelled right and the disk is mounted",
        ErrorKind::Unsupported => "choose a folder on a local file system",
        _ => "see that the disk is well and mounted",
    }
}

/// The operating system's number for it. `tempfile` hides the error that it wraps: there only its text has the number.
fn errno(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| {
        let text = error.to_string();
        let (_, number) = text.rsplit_once("(os error ")?;
        number.split_once(')')?.0.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_refusal_has_its_remedy() {
        for (number, words) in [
            (Errno::NOSPC, "make room"),
            (Errno::DQUOT, "make room"),
            (Errno::ROFS, "mount it writable"),
            (Errno::ACCESS, "access"),
            (Errno::MFILE, "ulimit"),
            (Errno::NFILE, "ulimit"),
            (Errno::NOTDIR, "a file stands"),
            (Errno::ISDIR, "a folder stands"),
            (Errno::NOENT, "spelled right"),
            (Errno::IO, "disk is well"),
        ] {
            let told = remedy(&number.into());
            assert!(told.contains(words), "{number}: {told}");
        }
    }

    #[test]
    fn a_wrapped_refusal_is_unwrapped_and_told_apart_all_the_same() {
        let missing = Path::new("/no/such/folder");
        let wrapped =
            tempfile::NamedTempFile::new_in(missing).expect_err("there is no such folder");
        assert_eq!(
            wrapped.raw_os_error(),
            None,
            "else there is nothing to unwrap"
        );
        let plain = plain(wrapped);
        assert_eq!(plain.raw_os_error(), Some(Errno::NOENT.raw_os_error()));

        let full = io::Error::other(io::Error::from(Errno::MFILE));
        assert!(is_out_of_descriptors(&full));
        assert!(!is_out_of_descriptors(&plain));
    }
}
