//! A set of patterns, arranged so that a record that none of them is about costs a look-up of its name.

use std::collections::{BTreeSet, HashMap, HashSet};

use globset::{GlobSet, GlobSetBuilder};

use super::condition::{Condition, Names};
use super::error::{PatternError, one_line};
use super::pattern::{Kind, Pattern};
use super::subject::Subject;
use super::{Origin, SelectionError};

/// Patterns, of which one is enough.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    all: bool,
    names: HashSet<String>,
    globs: GlobSet,
    /// Conditions on records of one name, by that name.
    one: HashMap<String, Vec<Condition>>,
    /// Conditions on records of more than one name.
    many: Vec<Condition>,
    meanings: BTreeSet<String>,
}

impl Patterns {
    /// Understands all of `patterns`; each comes with the place where it was given.
    pub(super) fn new<'a>(
        patterns: impl IntoIterator<Item = (Origin, &'a String)>,
    ) -> Result<Self, SelectionError> {
        let mut set = Self::default();
        let mut globs = GlobSetBuilder::new();
        for (origin, text) in patterns {
            let pattern = Pattern::parse(text).map_err(|problem| SelectionError::Pattern {
                origin,
                pattern: one_line(text),
                problem,
            })?;
            if !set.meanings.insert(pattern.meaning) {
                continue;
            }
            match pattern.kind {
                Kind::All => set.all = true,
                Kind::Name(name) => {
                    set.names.insert(name);
                }
                Kind::Glob(glob) => {
                    globs.add(glob);
                }
                Kind::Condition(condition) => match &condition.names {
                    Names::One(name) => {
                        set.one.entry(name.clone()).or_default().push(*condition);
                    }
                    _ => set.many.push(*condition),
                },
            }
        }
        set.globs = globs.build().map_err(|error| SelectionError::Pattern {
            origin: Origin::Package,
            pattern: one_line(error.glob().unwrap_or_default()),
            problem: PatternError::Glob(one_line(error.kind())),
        })?;
        Ok(set)
    }

    /// Whether everything is matched.
    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    /// Whether there is no pattern.
    pub(super) fn is_empty(&self) -> bool {
        self.meanings.is_empty()
    }

    /// Whether one of the patterns matches the record.
    pub(super) fn contain(&self, subject: &Subject<'_>) -> bool {
        let name = subject.name();
        let fulfilled = |condition: &Condition| condition.matches(subject);
        self.all
            || self.names.contains(name)
            || (!self.globs.is_empty() && self.globs.is_match(name))
            || self
                .one
                .get(name)
                .is_some_and(|conditions| conditions.iter().any(fulfilled))
            || self.many.iter().any(fulfilled)
    }

    /// Appends what the patterns mean, a line each, in an order that does not depend on theirs.
    pub(super) fn describe(&self, kind: &str, text: &mut String) {
        let all = BTreeSet::from([super::ALL.to_owned()]);
        let meanings = if self.all { &all } else { &self.meanings };
        for meaning in meanings {
            text.push_str(kind);
            text.push(' ');
            text.push_str(meaning);
            text.push('\n');
        }
    }
}
