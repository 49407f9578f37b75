//! What became of a file, and the rules for trusting, replacing and retrying it. All of it is
//! decided from data alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hex_digest;

/// How long a failure of kind [`FailureKind::Retry`] or [`FailureKind::Permanent`] rests before
/// another run tries again.
pub const RETRY_AFTER_MS: u64 = 60 * 60 * 1000;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOutcome {
    /// The destination holds it.
    Done {
        /// Of the bytes that the destination holds.
        sha256: [u8; 32],
        /// Only where the channel's record has no sha256: the one it has, or else that of the bytes,
        /// so that a record which gains a hash is compared with it.
        md5: Option<[u8; 16]>,
        /// In bytes.
        size: u64,
    },
    /// It could not be brought there.
    Failed(Failure),
}

/// Why a file is not at the destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which sort of error it was.
    pub kind: FailureKind,
    /// The error's text.
    pub cause: Cause,
    /// Tries made in the run that gave up.
    pub attempts: u32,
    /// When it gave up, in milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// The sha256 that the channel asked for, if it named one.
    #[serde(with = "hex_digest", default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<[u8; 32]>,
}

/// The sorts of errors that a failure can end in; each is tried again on other terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// Might have passed, but all attempts were used up.
    Retry,
    /// The host refused the credentials.
    Denied,
    /// The file itself is at fault.
    Permanent,
    /// This machine was at fault (disk, permissions).
    Local,
    /// It was only looked for, and the destination does not hold it.
    Absent,
    /// The options of that run ruled it out before anything was fetched; those of the next run may not.
    Refused,
}

/// The text of an error, at most [`Cause::MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Cause(String);

/// An outcome with the number of the plan it was made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The plan's number.
    pub plan: u64,
    /// What became of the file.
    pub outcome: FileOutcome,
}

/// What the channel says a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The sha256, which alone decides where there is one.
    pub sha256: Option<[u8; 32]>,
    /// The md5, which decides together with the size where there is no sha256.
    pub md5: Option<[u8; 16]>,
    /// In bytes. All there is to tell a file by where there is no hash.
    pub size: Option<u64>,
}

impl FailureKind {
    /// Whether a failure of this kind is left alone for a while. Denials, local errors and refusals
    /// are mended outside, and trying again costs no download; nobody has tried to bring yet what was
    /// only looked for.
    fn rests(self) -> bool {
        match self {
            Self::Denied | Self::Local | Self::Absent | Self::Refused => false,
            Self::Retry | Self::Permanent => true,
        }
    }
}

impl Cause {
    /// Bytes a cause may have.
    pub const MAX: usize = 1024;

    /// Keeps as much of `text` as fits.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(Self::MAX));
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FileOutcome {
    /// Whether the destination holds the very file that is wanted.
    ///
    /// A record without any hash believes this outcome unless its size is another: somebody decided
    /// once to mirror the file as it comes, or its record had a hash then. Bringing it again in every
    /// run, or dropping it from the index in a run without that decision, would be no safer.
    #[must_use]
    pub fn is_done_as(&self, wanted: &Wanted) -> bool {
        let Self::Done { sha256, md5, size } = self else {
            return false;
        };
        match (wanted.sha256, wanted.md5) {
            (Some(wanted), _) => *sha256 == wanted,
            (None, Some(wanted_md5)) => {
                *md5 == Some(wanted_md5) && wanted.size.is_none_or(|wanted| *size == wanted)
            }
            (None, None) => wanted.size.is_none_or(|wanted| *size == wanted),
        }
    }
}

impl Recorded {
    /// Whether `new`, an outcome of `new_plan`, may replace this one: a lower number never
    /// overwrites a higher, and within a plan a failure never overwrites the file it is about. What
    /// one try brought is there, whatever a later try of the build met.
    #[must_use]
    pub fn yields_to(&self, new_plan: u64, new: &FileOutcome) -> bool {
        match (&self.outcome, new) {
            (FileOutcome::Done { sha256, .. }, FileOutcome::Failed(failure))
                if new_plan == self.plan =>
            {
                failure.sha256.is_some_and(|wanted| wanted != *sha256)
            }
            _ => new_plan >= self.plan,
        }
    }

    /// Whether this outcome settles a task of plan `task_plan` for the file `wanted`: its number is
    /// not lower than the task's, or it is done with the task's digest and the task does not ask
    /// for a probe.
    #[must_use]
    pub fn settles(&self, task_plan: u64, wanted: &Wanted, probe: bool) -> bool {
        self.plan >= task_plan || (!probe && self.outcome.is_done_as(wanted))
    }
}

impl Failure {
    /// When a new run may try again, if the channel still asks for the same file.
    #[must_use]
    pub fn due_at_ms(&self) -> u64 {
        match self.kind.rests() {
            false => self.at_ms,
            true => self.at_ms.saturating_add(RETRY_AFTER_MS),
        }
    }

    /// Whether a new run tries again now: always for the kinds that do not rest, when the channel's
    /// sha256 has changed, when the user says so, and else after [`RETRY_AFTER_MS`]. One of the future is of a worker
    /// whose clock is ahead: nobody knows how old it is.
    #[must_use]
    pub fn due(&self, now_ms: u64, wanted_sha256: Option<&[u8; 32]>, retry_failed: bool) -> bool {
        !self.kind.rests()
            || retry_failed
            || self.sha256.as_ref() != wanted_sha256
            || now_ms >= self.due_at_ms()
            || self.at_ms > now_ms
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Cause> for String {
    fn from(cause: Cause) -> Self {
        cause.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
