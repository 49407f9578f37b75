//! Which packages of a channel a run is about.
//!
//! What a selection *selects* joins the plan; what it *excludes* never does and also leaves the published index. The two
//! are asked apart, because selections add up over runs while exclusions always hold.
//!
//! Patterns are matched by name first; a record's JSON is read only where a pattern for its name, or `--newer-than`, asks
//! for what stands in it.

mod condition;
mod error;
mod facts;
mod filters;
mod latest;
mod newer_than;
mod pattern;
mod patterns;
mod spec;
mod subject;
mod undistributable;
mod unmatched;

use std::borrow::Cow;
use std::cell::LazyCell;
use std::fmt::Write as _;
use std::num::NonZeroU32;

use rattler_digest::{Sha256, compute_bytes_digest};

use crate::name::ArchiveType;
use crate::repodata::{Record, timestamp_ms};
use patterns::Patterns;
use subject::Subject;

pub use error::{Origin, PatternError, SelectionError, TimeError};
pub use filters::Filters;
pub use latest::{Newest, Ranking};
pub use newer_than::NewerThan;
pub use undistributable::{UndistributableError, parse_undistributable};
pub use unmatched::unmatched;

/// The word that selects every package.
pub const ALL: &str = "all";

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

/// [`Filters`], understood. Package names are compared in lower case, as conda does.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `None` for every package.
    packages: Option<Patterns>,
    excluded: Patterns,
    latest: Option<NonZeroU32>,
    newest_build: bool,
    newer_than: Option<NewerThan>,
    /// What `newer_than` comes to, in Unix milliseconds.
    since_ms: Option<u64>,
    max_size: Option<u64>,
    /// `None` for both.
    format: Option<ArchiveType>,
}

impl Selection {
    /// Everything, nothing excluded.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// The selection that `filters` ask for. `now_ms` (Unix milliseconds) is what ages are counted from.
    ///
    /// # Errors
    /// A pattern that cannot be understood: it is named, with what is wrong and what to write instead.
    pub fn new(filters: &Filters, now_ms: u64) -> Result<Self, SelectionError> {
        let given = |origin, patterns| std::iter::repeat(origin).zip::<&Vec<String>>(patterns);
        let packages = Patterns::new(given(Origin::Package, &filters.packages))?;
        let excluded = Patterns::new(
            given(Origin::Exclude, &filters.excluded)
                .chain(given(Origin::Undistributable, &filters.undistributable)),
        )?;
        let everything = filters.packages.is_empty() || packages.is_all();
        let format = match filters.formats.first() {
            Some(first) if filters.formats.iter().all(|format| format == first) => Some(*first),
            _ => None,
        };
        Ok(Self {
            packages: (!everything).then_some(packages),
            excluded,
            latest: filters.latest,
            newest_build: filters.newest_build,
            newer_than: filters.newer_than,
            since_ms: filters
                .newer_than
                .map(|newer_than| newer_than.since_ms(now_ms)),
            max_size: filters.max_size,
            format,
        })
    }

    /// What becomes of `record`, whose JSON is `json`. Without `newest` the versions of a name are not ranked.
    #[must_use]
    pub fn judge(&self, record: &Record, json: &[u8], newest: Option<&Newest>) -> Choice {
        let subject = LazyCell::new(|| Subject::new(record, json));
        if !self.excluded.is_empty() && self.excluded.contain(&subject) {
            return Choice::Excluded;
        }
        let selected = self
            .format
            .is_none_or(|format| record.file.archive() == format)
            && self
                .max_size
                .is_none_or(|max| record.size.is_some_and(|size| size <= max))
            && newest.is_none_or(|newest| newest.contains(&record.file))
            && self
                .packages
                .as_ref()
                .is_none_or(|packages| packages.contain(&subject))
            && self.since_ms.is_none_or(|since| is_since(json, since));
        if selected {
            Choice::Selected
        } else {
            Choice::Unselected
        }
    }

    /// Whether the file must leave the index even if the registry holds it.
    #[must_use]
    pub fn excludes(&self, record: &Record, json: &[u8]) -> bool {
        !self.excluded.is_empty() && self.excluded.contain(&Subject::new(record, json))
    }

    /// What has to see the whole index first, if only the newest versions are wanted.
    #[must_use]
    pub fn ranking(&self) -> Option<Ranking> {
        match self.newest_build {
            true => Some(Ranking::of_builds()),
            false => self.latest.map(Ranking::of_versions),
        }
    }

    /// A stable sha256 (hex) of what the selection means: order, repetition and case of the patterns do not change it, nor
    /// does the time that ages are counted from (a window that slides on selects nothing that it did not select before).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = String::from("selection 2\n");
        match &self.packages {
            None => text.push_str("package all\n"),
            Some(packages) => packages.describe("package", &mut text),
        }
        self.excluded.describe("exclude", &mut text);
        let mut filter = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                writeln!(text, "{name} {value}").expect("writing to a string cannot fail");
            }
        };
        filter("latest", self.latest.map(|latest| latest.to_string()));
        filter("newest-build", self.newest_build.then(String::new));
        filter("newer-than", self.newer_than.map(|time| time.to_string()));
        filter("max-size", self.max_size.map(|size| size.to_string()));
        filter("format", self.format.map(|one| one.extension().to_owned()));
        hex::encode(compute_bytes_digest::<Sha256>(text))
    }
}

/// Whether the record says that its file was built at `since_ms` or later.
fn is_since(json: &[u8], since_ms: u64) -> bool {
    timestamp_ms(json)
        .and_then(|built| u64::try_from(built).ok())
        .is_some_and(|built| built >= since_ms)
}

/// A package name as names are compared.
fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests;
