//! Which packages of a channel a run is about.
//!
//! What a selection *selects* joins the plan; what it *excludes* never does and also leaves the published index. The two
//! are asked apart, because selections add up over runs while exclusions always hold.

mod undistributable;

use std::collections::{BTreeSet, HashSet};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rattler_digest::{Sha256, compute_bytes_digest};

use crate::name::{ArchiveType, FileName};
use crate::repodata::Record;

pub use undistributable::{UndistributableError, parse_undistributable};

/// The word that selects every package.
pub const ALL: &str = "all";

/// A pattern that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// A blank `--package`.
    #[error("a package pattern is empty; give a name, a glob such as 'py*', or 'all'")]
    Empty,
    /// `globset` refuses the glob.
    #[error("the package pattern {pattern:?} is no valid glob: {reason}")]
    Glob {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a user wants mirrored, as given.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// `--package`: none, or `all` among them, for everything.
    pub packages: Vec<String>,
    /// `--exclude`: the same kinds of pattern.
    pub excluded: Vec<String>,
    /// Names and globs of an undistributable list: excluded as well.
    pub undistributable: Vec<String>,
    /// `--latest`: only the newest so many versions of each name.
    pub latest: Option<NonZeroU32>,
    /// `--newer-than`: only what was built since.
    pub newer_than: Option<NewerThan>,
    /// `--max-size`: only files of at most so many bytes.
    pub max_size: Option<u64>,
    /// `--formats`: only these; none for both.
    pub formats: Vec<ArchiveType>,
}

/// How old a build may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewerThan {
    /// Built at this time or later, in Unix milliseconds.
    Date(u64),
    /// Built within this span before now.
    Age(Duration),
}

impl FromStr for NewerThan {
    type Err = SelectionError;

    /// `2026-01-31`, `2026-01-31T12:00:00Z`, or an age such as `36h`, `30d`, `2w`, `1y`.
    fn from_str(_text: &str) -> Result<Self, SelectionError> {
        Err(SelectionError::Empty)
    }
}

/// What a selection says of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It joins the plan.
    Selected,
    /// It does not join the plan; if it is held, it stays in the index.
    Unselected,
    /// It never joins the plan, and leaves the index even if it is held.
    Excluded,
}

/// Names and globs over package names. Package names are compared in lower case, as conda does.
#[derive(Debug, Clone)]
pub struct Selection {
    selected: Option<Patterns>,
    excluded: Patterns,
}

/// The newest versions of each name, ranked by conda's order.
#[derive(Debug, Clone)]
pub struct Newest {}

impl Newest {
    /// Whether the file's version is one of them.
    #[must_use]
    pub fn contains(&self, _file: &FileName) -> bool {
        true
    }
}

/// Collects what [`Newest`] is made from.
#[derive(Debug)]
pub struct Ranking {}

impl Ranking {
    /// Takes a record of the index into account, if the other filters leave it.
    pub fn offer(&mut self, _selection: &Selection, _record: &Record, _json: &[u8]) {}

    /// The newest versions of what was offered.
    #[must_use]
    pub fn finish(self) -> Newest {
        Newest {}
    }
}

impl Selection {
    /// Everything, nothing excluded.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            selected: None,
            excluded: Patterns::default(),
        }
    }

    /// The selection that `filters` ask for. `now_ms` (Unix milliseconds) is what ages are counted from.
    ///
    /// # Errors
    /// A pattern that cannot be understood.
    pub fn new(filters: &Filters, _now_ms: u64) -> Result<Self, SelectionError> {
        let packages = &filters.packages;
        let every = packages.is_empty() || packages.iter().any(|pattern| pattern == ALL);
        let selected = if every {
            None
        } else {
            Some(Patterns::new(packages)?)
        };
        let excluded: Vec<_> = filters
            .excluded
            .iter()
            .chain(&filters.undistributable)
            .collect();
        Ok(Self {
            selected,
            excluded: Patterns::new(&excluded)?,
        })
    }

    /// What becomes of `record`, whose JSON is `json`. Without `newest` the versions of a name are not ranked.
    #[must_use]
    pub fn judge(&self, record: &Record, json: &[u8], newest: Option<&Newest>) -> Choice {
        if self.excludes(record, json) {
            return Choice::Excluded;
        }
        let name = record.file.name().to_ascii_lowercase();
        let named = self
            .selected
            .as_ref()
            .is_none_or(|patterns| patterns.contain(&name));
        match named && newest.is_none_or(|newest| newest.contains(&record.file)) {
            true => Choice::Selected,
            false => Choice::Unselected,
        }
    }

    /// Whether the file must leave the index even if the registry holds it.
    #[must_use]
    pub fn excludes(&self, record: &Record, _json: &[u8]) -> bool {
        self.excluded
            .contain(&record.file.name().to_ascii_lowercase())
    }

    /// What has to see the whole index first, if only the newest versions are wanted.
    #[must_use]
    pub fn ranking(&self) -> Option<Ranking> {
        None
    }

    /// A stable sha256 (hex) of what the selection means: order, repetition and case of the patterns do not change it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = String::from("selection 1\n");
        match &self.selected {
            None => text.push_str("all\n"),
            Some(patterns) => patterns.describe("package", &mut text),
        }
        self.excluded.describe("exclude", &mut text);
        hex::encode(compute_bytes_digest::<Sha256>(text))
    }
}

#[derive(Debug, Clone, Default)]
struct Patterns {
    names: HashSet<String>,
    globs: GlobSet,
    /// All patterns as given, lower-case and sorted.
    sources: BTreeSet<String>,
}

impl Patterns {
    fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Self, SelectionError> {
        let mut names = HashSet::new();
        let mut globs = GlobSetBuilder::new();
        let mut sources = BTreeSet::new();
        for pattern in patterns {
            let pattern = pattern.as_ref().trim().to_ascii_lowercase();
            if pattern.is_empty() {
                return Err(SelectionError::Empty);
            }
            if !sources.insert(pattern.clone()) {
                continue;
            }
            if pattern.contains(['*', '?', '[', '{', '\\']) {
                let glob = GlobBuilder::new(&pattern)
                    .build()
                    .map_err(|error| glob_error(&pattern, &error))?;
                globs.add(glob);
            } else {
                names.insert(pattern);
            }
        }
        let globs = globs
            .build()
            .map_err(|error| glob_error(error.glob().unwrap_or_default(), &error))?;
        Ok(Self {
            names,
            globs,
            sources,
        })
    }

    fn contain(&self, name: &str) -> bool {
        self.names.contains(name) || (!self.globs.is_empty() && self.globs.is_match(name))
    }

    fn describe(&self, kind: &str, text: &mut String) {
        for source in &self.sources {
            text.push_str(kind);
            text.push(' ');
            text.push_str(source);
            text.push('\n');
        }
    }
}

fn glob_error(pattern: &str, error: &globset::Error) -> SelectionError {
    SelectionError::Glob {
        pattern: pattern.to_owned(),
        reason: error.kind().to_string(),
    }
}
