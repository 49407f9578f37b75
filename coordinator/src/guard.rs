//! The limits that a user sets on a plan: a selection that turns out larger than thought must not fill a disk.

use std::sync::Mutex;

use crate::summary::size;

/// `--max-files` and `--max-bytes`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    pub files: Option<u64>,
    pub bytes: Option<u64>,
}

/// A plan over its limits.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "the plan has {files} files with {}, over {limit}: nothing of it was downloaded. Narrow the selection \
     (--package, --exclude, --latest, --newer-than, --max-size; --dry-run shows the largest names) or raise the limit",
    size(*.bytes)
)]
pub(crate) struct OverLimit {
    files: u64,
    bytes: u64,
    limit: String,
}

impl Guard {
    /// Whether there is any limit.
    pub(crate) fn is_set(&self) -> bool {
        self.files.is_some() || self.bytes.is_some()
    }

    /// Whether a plan of so much may be carried out.
    pub(crate) fn check(&self, files: u64, bytes: u64) -> Result<(), OverLimit> {
        let over = |limit: String| {
            Err(OverLimit {
                files,
                bytes,
                limit,
            })
        };
        match (self.files, self.bytes) {
            (Some(limit), _) if files > limit => over(format!("--max-files {limit}")),
            (_, Some(limit)) if bytes > limit => over(format!("--max-bytes {}", size(limit))),
            _ => Ok(()),
        }
    }
}

/// The sums of the plans that were admitted so far: limits are on a run, plans are of subdirs.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    sums: Mutex<(u64, u64)>,
}

impl Admitted {
    /// Admits one more plan, or says why not.
    pub(crate) fn admit(&self, guard: &Guard, files: u64, bytes: u64) -> Result<(), OverLimit> {
        let mut sums = self.sums.lock().expect("no panic under this lock");
        let (files, bytes) = (sums.0 + files, sums.1 + bytes);
        guard.check(files, bytes)?;
        *sums = (files, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn limits_hold_for_the_sum_of_all_subdirs_and_are_named() {
        let guard = Guard {
            files: Some(10),
            bytes: Some(1_000_000),
        };
        let admitted = Admitted::default();
        admitted.admit(&guard, 6, 1_000_000).unwrap();
        let error = admitted.admit(&guard, 5, 0).unwrap_err().to_string();
        assert!(
            error.contains("11 files") && error.contains("--max-files 10"),
            "{error}"
        );
        let error = admitted.admit(&guard, 1, 1).unwrap_err().to_string();
        assert!(error.contains("--max-bytes 1.0 MB"), "{error}");
        admitted.admit(&guard, 4, 0).unwrap();
        assert!(!Guard::default().is_set());
        Guard::default().check(u64::MAX, u64::MAX).unwrap();
    }
}
