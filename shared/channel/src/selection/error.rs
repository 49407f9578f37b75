//! What can be wrong with a selection, in words that say what to write instead. Each message is one line.

use std::fmt;

/// The longest pattern read, in bytes: far more than any spec needs.
pub(super) const MAX_PATTERN_BYTES: usize = 1000;

/// The most opening parentheses in a pattern: rattler's parser recurses, and some hundreds overflow a thread's stack.
pub(super) const MAX_PARENTHESES: usize = 50;

/// How much of a pattern or of a parser's complaint is repeated in a message, in characters.
const SHOWN: usize = 200;

/// A filter that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// A pattern for packages.
    #[error("{origin} {pattern:?} {problem}")]
    Pattern {
        /// Where the pattern was given.
        origin: Origin,
        /// The pattern, shortened.
        pattern: String,
        /// What is wrong with it.
        problem: PatternError,
    },
    /// `--newer-than`.
    #[error("--newer-than {text:?} {problem}")]
    NewerThan {
        /// What was given, shortened.
        text: String,
        /// What is wrong with it.
        problem: TimeError,
    },
}

/// Where a pattern comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `--package`.
    Package,
    /// `--exclude`.
    Exclude,
    /// The list of packages that may not be passed on.
    Undistributable,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Package => "--package",
            Self::Exclude => "--exclude",
            Self::Undistributable => "the undistributable list's entry",
        })
    }
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing but blanks.
    #[error("is empty; give a name, a glob such as 'py*', or 'all'")]
    Empty,
    /// Over the limit.
    #[error(
        "has {0} bytes, over the {MAX_PATTERN_BYTES} that a pattern may have; give each package a pattern of its own"
    )]
    Long(usize),
    /// Over the limit.
    #[error("has {0} opening parentheses, over the {MAX_PARENTHESES} that a pattern may have")]
    Nested(usize),
    /// A character that no package name has.
    #[error(
        "has a {0:?}, which no package name has; for several packages give several patterns, for conditions a MatchSpec \
         such as 'zlib >=1.2,<2'"
    )]
    Name(char),
    /// The name of a file.
    #[error("is a file name; write \"*[fn='{0}']\" for that file alone, or name@version")]
    FileName(String),
    /// `globset` refuses the glob.
    #[error("is no valid glob: {0}")]
    Glob(String),
    /// `@1.2`.
    #[error("names no package before the '@'; write '*@VERSION' for the version of any package")]
    NoName,
    /// `zlib@`.
    #[error(
        "names no version after the '@'; write name@1.2.13 or name@1.2.*, or leave the '@' out"
    )]
    NoVersion,
    /// What stands after the `@` is neither a version nor a version spec.
    #[error(
        "has {version:?} after the '@', which is no version: {reason}; write name@1.2.13 or name@1.2.*"
    )]
    Version {
        /// What stands there.
        version: String,
        /// What is wrong with it.
        reason: String,
    },
    /// rattler refuses the MatchSpec.
    #[error("is no valid MatchSpec: {0}; write for example 'zlib >=1.2,<2' or '*[license=MIT]'")]
    Spec(String),
    /// A MatchSpec with something that says nothing about a record of one channel's subdir.
    #[error("has {part}, which cannot be matched here; {instead}")]
    Part {
        /// The part of the spec.
        part: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

/// What is wrong with a point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Neither kind.
    #[error("is neither a date (2026-01-31, 2026-01-31T12:00:00Z) nor an age (36h, 30d, 2w, 1y)")]
    Neither,
    /// Looks like a date.
    #[error("is no date: {0}; write 2026-01-31 or 2026-01-31T12:00:00Z")]
    Date(String),
    /// Before the time that timestamps count from.
    #[error("is before 1970; leave the option out to have packages of any age")]
    Early,
    /// A number with another unit, or none.
    #[error("needs a unit: m (minutes), h, d, w or y, as in 36h, 30d, 2w, 1y")]
    Unit,
    /// `0d`.
    #[error("is no time at all; write an age such as 36h, 30d, 2w, 1y")]
    Zero,
    /// More than can be counted.
    #[error("is longer than packages exist; leave the option out to have packages of any age")]
    Long,
}

/// A foreign complaint, or what a user wrote, as one line of bounded length.
pub(super) fn one_line(text: impl fmt::Display) -> String {
    let text = text.to_string();
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    shortened(&line)
}

/// The beginning of `text`.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
