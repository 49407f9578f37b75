//! Which packages of a channel a run is about.
//!
//! What a selection *selects* joins the plan; what it *excludes* never does and also leaves the published index. The two
//! are asked apart, because selections add up over runs while exclusions always hold.

mod undistributable;

use std::collections::{BTreeSet, HashSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rattler_digest::{Sha256, compute_bytes_digest};

use crate::name::FileName;

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

/// Names and globs over package names. Package names are compared in lower case, as conda does.
#[derive(Debug, Clone)]
pub struct Selection {
    selected: Option<Patterns>,
    excluded: Patterns,
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

    /// A selection of `packages` without `excluded`; both are exact names or globs (`*`, `?`, `[..]`). No package
    /// pattern at all, or the word `all` among them, selects everything.
    ///
    /// # Errors
    /// An empty pattern or a malformed glob.
    pub fn new<P: AsRef<str>, E: AsRef<str>>(
        packages: &[P],
        excluded: &[E],
    ) -> Result<Self, SelectionError> {
        let every = packages.is_empty() || packages.iter().any(|pattern| pattern.as_ref() == ALL);
        let selected = if every {
            None
        } else {
            Some(Patterns::new(packages)?)
        };
        Ok(Self {
            selected,
            excluded: Patterns::new(excluded)?,
        })
    }

    /// Whether the file joins the plan: selected and not excluded.
    #[must_use]
    pub fn matches(&self, file: &FileName) -> bool {
        let name = file.name().to_ascii_lowercase();
        self.selected
            .as_ref()
            .is_none_or(|patterns| patterns.contain(&name))
            && !self.excluded.contain(&name)
    }

    /// Whether the file must leave the index even if the registry holds it.
    #[must_use]
    pub fn excludes(&self, file: &FileName) -> bool {
        self.excluded.contain(&file.name().to_ascii_lowercase())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NONE: [&str; 0] = [];

    fn file(name: &str) -> FileName {
        FileName::parse(&format!("{name}-1.0-0.conda")).unwrap()
    }

    #[test]
    fn names_match_exactly_and_globs_match_whole_names() {
        let selection = Selection::new(&["zlib", "py[ab]*", "lib?x"], &NONE).unwrap();
        for (name, expected) in [
            ("zlib", true),
            ("ZLib", true),
            ("zlib-ng", false),
            ("pybind11", true),
            ("pycparser", false),
            ("libxx", true),
            ("libx", false),
            ("my-pyb", false),
        ] {
            assert_eq!(selection.matches(&file(name)), expected, "{name}");
        }
    }

    #[test]
    fn all_or_no_pattern_selects_everything() {
        assert!(
            Selection::new(&["zlib", "all"], &NONE)
                .unwrap()
                .matches(&file("other"))
        );
        assert!(
            Selection::new(&NONE, &NONE)
                .unwrap()
                .matches(&file("other"))
        );
        assert!(Selection::everything().matches(&file("other")));
    }

    #[test]
    fn an_exclusion_wins_over_a_selection() {
        let selection = Selection::new(&["all"], &["cuda*", "mkl"]).unwrap();
        assert!(
            !selection.matches(&file("cudatoolkit")) && selection.excludes(&file("CudaToolkit"))
        );
        assert!(selection.excludes(&file("mkl")));
        assert!(selection.matches(&file("mkl-devel")) && !selection.excludes(&file("mkl-devel")));
    }

    #[test]
    fn the_fingerprint_tells_meanings_apart_and_nothing_else() {
        let print = |packages: &[&str], excluded: &[&str]| {
            Selection::new(packages, excluded).unwrap().fingerprint()
        };
        assert_eq!(print(&["b", "a", "A"], &[]), print(&["a", "b"], &[]));
        assert_eq!(print(&["all", "a"], &[]), print(&[], &[]));
        let mut prints = vec![
            print(&[], &[]),
            print(&["a"], &[]),
            print(&[], &["a"]),
            print(&["a"], &["a"]),
            print(&["a*"], &[]),
        ];
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), 5);
        assert_eq!(prints[0].len(), 64);
    }

    #[test]
    fn a_malformed_pattern_is_named() {
        assert!(matches!(
            Selection::new(&[" "], &NONE),
            Err(SelectionError::Empty)
        ));
        let error = Selection::new(&["py[ab"], &NONE).unwrap_err().to_string();
        assert!(error.contains("py[ab"), "{error}");
    }
}
