//! What a person can do when this machine does not let us at a ledger's file.

use std::io::{self, ErrorKind};

/// The operating system's word and what to do about it, as the end of a sentence.
pub(super) fn refused(error: &io::Error) -> String {
    format!("{error}; {}", remedy(error))
}

/// What to do about a refusal.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room on that disk, or choose a folder on another one with --state DIR"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "mount it writable, or choose another folder with --state DIR"
        }
        ErrorKind::PermissionDenied => {
            "give this user access to it, or choose another folder with --state DIR"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            "something else stands there: move it away, or choose another folder with --state DIR"
        }
        // The standard library has no kinds for these two.
        _ if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) => {
            "raise the limit of open files (`ulimit -n`) or use fewer --workers"
        }
        _ => "see that the disk is well and mounted, or choose another folder with --state DIR",
    }
}

/// Too many open files in the process, and in the system; the same numbers on Linux and the BSDs.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_told_with_its_remedy() {
        const CASES: [(i32, &str); 6] = [
            (28, "make room"),
            (30, "mount it writable"),
            (13, "give this user access"),
            (20, "move it away"),
            (EMFILE, "ulimit -n"),
            (5, "disk is well"),
        ];
        for (number, words) in CASES {
            let error = io::Error::from_raw_os_error(number);
            let told = refused(&error);
            let whole = told.contains(words) && told.starts_with(&error.to_string());
            assert!(whole, "{number}: {told}");
        }
    }
}
