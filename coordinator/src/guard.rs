//! The limits that a user sets on a plan: a selection that turns out larger than thought must not fill a disk.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::plan::Totals;
use crate::summary::size;

/// `--max-files` and `--max-bytes`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    pub files: Option<u64>,
    pub bytes: Option<u64>,
}

/// How much one or several plans bring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub files: u64,
    pub bytes: u64,
    /// Files among them whose records state no size.
    pub of_unknown_size: u64,
}

/// A plan over its limits.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum OverLimit {
    /// Too much.
    #[error(
        "the plan has {} files with {}, over {limits}: nothing of it was downloaded. Narrow the selection \
         (--package, --exclude, --latest, --newer-than, --max-size; --dry-run shows the largest names) or raise the limit",
        amount.files, size(amount.bytes)
    )]
    TooMuch { amount: Amount, limits: String },
    /// Nobody knows whether it is too much.
    #[error(
        "the channel does not state the size of {0} of the planned files, so --max-bytes cannot hold: nothing was \
         downloaded. Leave them out (--max-size selects only files of a known size) or use --max-files"
    )]
    UnknownSize(u64),
}

impl Amount {
    pub(crate) fn of(totals: &Totals) -> Self {
        Self {
            files: totals.files,
            bytes: totals.bytes,
            of_unknown_size: totals.of_unknown_size,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
            of_unknown_size: self.of_unknown_size + other.of_unknown_size,
        }
    }
}

impl Guard {
    /// Whether there is any limit.
    pub(crate) fn is_set(&self) -> bool {
        self.files.is_some() || self.bytes.is_some()
    }

    /// Whether a plan of so much may be carried out.
    pub(crate) fn check(&self, amount: Amount) -> Result<(), OverLimit> {
        let mut limits = Vec::new();
        if let Some(files) = self.files.filter(|limit| amount.files > *limit) {
            limits.push(format!("--max-files {files}"));
        }
        if let Some(bytes) = self.bytes.filter(|limit| amount.bytes > *limit) {
            limits.push(format!("--max-bytes {}", size(bytes)));
        }
        if !limits.is_empty() {
            let limits = limits.join(" and ");
            return Err(OverLimit::TooMuch { amount, limits });
        }
        match self.bytes {
            Some(_) if amount.of_unknown_size > 0 => {
                Err(OverLimit::UnknownSize(amount.of_unknown_size))
            }
            _ => Ok(()),
        }
    }
}

/// What plans came to so far: limits are on a run, plans are of subdirs. A subdir that is planned anew counts once.
#[derive(Debug, Default)]
pub(crate) struct Sum(Mutex<HashMap<String, Amount>>);

impl Sum {
    /// Adds a plan that is only looked at.
    pub(crate) fn add(&self, subdir: &str, amount: Amount) {
        let mut plans = self.0.lock().expect("no panic under this lock");
        plans.insert(subdir.to_owned(), amount);
    }

    /// Adds a plan that is carried out if the whole stays within the limits.
    pub(crate) fn admit(
        &self,
        guard: &Guard,
        subdir: &str,
        amount: Amount,
    ) -> Result<(), OverLimit> {
        let mut plans = self.0.lock().expect("no panic under this lock");
        let others = plans.iter().filter(|(other, _)| *other != subdir);
        guard.check(others.fold(amount, |sum, (_, other)| sum.plus(*other)))?;
        plans.insert(subdir.to_owned(), amount);
        Ok(())
    }

    /// All that was added.
    pub(crate) fn amount(&self) -> Amount {
        let plans = self.0.lock().expect("no panic under this lock");
        let none = Amount::default();
        plans.values().fold(none, |sum, plan| sum.plus(*plan))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn amount(files: u64, bytes: u64) -> Amount {
        Amount {
            files,
            bytes,
            of_unknown_size: 0,
        }
    }

    #[test]
    fn limits_hold_for_the_sum_of_all_subdirs_and_are_named() {
        let guard = Guard {
            files: Some(10),
            bytes: Some(1_000_000),
        };
        let sum = Sum::default();
        let admit = |subdir, amount| sum.admit(&guard, subdir, amount);
        admit("noarch", amount(6, 1_000_000)).unwrap();
        let error = admit("linux-64", amount(5, 0)).unwrap_err().to_string();
        assert!(
            error.contains("11 files") && error.contains("--max-files 10"),
            "{error}"
        );
        let error = admit("linux-64", amount(5, 1)).unwrap_err().to_string();
        assert!(
            error.contains("--max-files 10 and --max-bytes 1.0 MB"),
            "{error}"
        );
        admit("linux-64", amount(4, 0)).unwrap();
        assert_eq!(sum.amount(), amount(10, 1_000_000));
        admit("linux-64", amount(3, 0)).unwrap();
        assert_eq!(sum.amount(), amount(9, 1_000_000), "planned anew");
        assert!(!Guard::default().is_set());
        Guard::default().check(amount(u64::MAX, u64::MAX)).unwrap();
    }

    #[test]
    fn bytes_are_not_limited_by_guessing() {
        let bytes = Guard {
            files: None,
            bytes: Some(1000),
        };
        let unknown = Amount {
            of_unknown_size: 1,
            ..amount(2, 10)
        };
        let error = bytes.check(unknown).unwrap_err().to_string();
        assert!(error.contains("size of 1 of"), "{error}");
        let files = Guard {
            files: Some(2),
            bytes: None,
        };
        files.check(unknown).unwrap();
    }
}
