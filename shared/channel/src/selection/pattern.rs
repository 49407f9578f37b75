//! One pattern for packages: a name, a glob, `name@version`, or a MatchSpec; and how they are told apart.

use globset::{Glob, GlobBuilder};
use rattler_conda_types::{MatchSpec, PackageName, ParseStrictness, VersionSpec};

use super::condition::{Condition, Names};
use super::error::{MAX_PARENTHESES, MAX_PATTERN_BYTES, PatternError, one_line};
use super::{ALL, spec};
use crate::name::FileName;

/// A pattern, understood. Two that have the same `meaning` match the same records.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) kind: Kind,
    /// The pattern in a spelling of its own: no matter of case, blanks or order.
    pub(super) meaning: String,
}

/// The kinds of pattern, by what matching them costs.
#[derive(Debug)]
pub(super) enum Kind {
    /// Every package.
    All,
    /// One name, in lower case.
    Name(String),
    /// Names.
    Glob(Glob),
    /// Names, and what the records say.
    Condition(Box<Condition>),
}

impl Pattern {
    /// Understands one pattern. What has blanks or one of `= < > ~ | : ;` in it is a MatchSpec (so `py[ab]*` is a glob, and
    /// `zlib[build_number=1]` is none), and so is what begins with `^`; what has an `@` after a name is `name@version`.
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::Long(text.len()));
        }
        let parentheses = text.matches('(').count();
        if parentheses > MAX_PARENTHESES {
            return Err(PatternError::Nested(parentheses));
        }
        if text.eq_ignore_ascii_case(ALL) || text == "*" {
            return Ok(Self {
                kind: Kind::All,
                meaning: ALL.to_owned(),
            });
        }
        if let Some((name, version)) = text.split_once('@')
            && !is_spec(name)
        {
            return versioned(name, version.trim());
        }
        if is_spec(text) {
            return spec::parse(text);
        }
        let lower = text.to_ascii_lowercase();
        if is_glob(&lower) {
            let kind = Kind::Glob(glob(&lower)?);
            let meaning = format!("glob {lower:?}");
            return Ok(Self { kind, meaning });
        }
        if FileName::parse(text).is_ok() {
            return Err(PatternError::FileName(one_line(text)));
        }
        check_name(&lower)?;
        Ok(Self::name(lower))
    }

    /// A name in lower case.
    pub(super) fn name(name: String) -> Self {
        let meaning = format!("name {name:?}");
        let kind = Kind::Name(name);
        Self { kind, meaning }
    }

    /// A condition that means what `meaning` says.
    pub(super) fn condition(condition: Condition, meaning: String) -> Self {
        let kind = Kind::Condition(Box::new(condition));
        Self { kind, meaning }
    }
}

fn is_spec(text: &str) -> bool {
    let sign = |c: char| c.is_whitespace() || matches!(c, '=' | '<' | '>' | '~' | '|' | ':' | ';');
    text.starts_with('^') || text.contains(sign)
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '\\'])
}

fn glob(text: &str) -> Result<Glob, PatternError> {
    GlobBuilder::new(text)
        .build()
        .map_err(|error| PatternError::Glob(one_line(error.kind())))
}

fn check_name(name: &str) -> Result<(), PatternError> {
    let is_odd = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'));
    match name.chars().find(is_odd) {
        Some(character) => Err(PatternError::Name(character)),
        None => Ok(()),
    }
}

/// `name@version`: exactly that version, or what a version spec such as `1.2.*` or `>=1.2,<2` says.
fn versioned(name: &str, version: &str) -> Result<Pattern, PatternError> {
    let name = name.to_ascii_lowercase();
    if name.is_empty() {
        return Err(PatternError::NoName);
    }
    if version.is_empty() {
        return Err(PatternError::NoVersion);
    }
    let parsed = VersionSpec::from_str(version, ParseStrictness::Lenient);
    let versions = parsed.map_err(|error| PatternError::Version {
        version: one_line(version),
        reason: spec::version_reason(&error),
    })?;
    if is_glob(&name) && name != "*" {
        let matcher = glob(&name)?.compile_matcher();
        let meaning = format!("glob {name:?} version {:?}", versions.to_string());
        let spec = MatchSpec {
            version: spec::unless_any(versions),
            ..MatchSpec::default()
        };
        let condition = Condition::new(Names::Glob(matcher), spec.into(), None);
        return Ok(Pattern::condition(condition, meaning));
    }
    let names = if name == "*" {
        MatchSpec::default().name
    } else {
        check_name(&name)?;
        PackageName::new_unchecked(name).into()
    };
    let spec = MatchSpec {
        name: names,
        version: Some(versions),
        ..MatchSpec::default()
    };
    spec::understood(spec, None)
}
