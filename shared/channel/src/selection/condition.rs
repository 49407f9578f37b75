//! A pattern that looks at more than the name: a MatchSpec, or `name@version`.

use globset::GlobMatcher;
use rattler_conda_types::{
    Matches as _, NamelessMatchSpec, PackageName, PackageNameMatcher, StringMatcher,
};

use super::subject::Subject;

/// Which names a condition is about.
#[derive(Debug, Clone)]
pub(super) enum Names {
    /// All of them.
    Any,
    /// One, in lower case.
    One(String),
    /// Those that a glob of ours matches.
    Glob(GlobMatcher),
    /// Those that a glob or a regex in a MatchSpec matches.
    Spec(PackageNameMatcher),
}

impl Names {
    /// Whether a name, in lower case, is one of them.
    pub(super) fn contain(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == name,
            Self::Glob(glob) => glob.is_match(name),
            Self::Spec(matcher) => matcher.matches(&PackageName::new_unchecked(name)),
        }
    }
}

/// What a record must say to be matched.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) names: Names,
    /// What rattler matches. Parts that rattler would ignore are not in it.
    spec: NamelessMatchSpec,
    /// `fn`, which is matched here.
    file: Option<StringMatcher>,
}

impl Condition {
    pub(super) fn new(names: Names, spec: NamelessMatchSpec, file: Option<StringMatcher>) -> Self {
        Self { names, spec, file }
    }

    /// Whether the record fulfils it. A version that conda cannot read fulfils no version spec, a record without build
    /// number none of build numbers.
    pub(super) fn matches(&self, subject: &Subject<'_>) -> bool {
        if !self.names.contain(subject.name()) {
            return false;
        }
        let package = subject.package(self.reads_json());
        (package.has_version || self.spec.version.is_none())
            && (package.has_build_number || self.spec.build_number.is_none())
            && self
                .file
                .as_ref()
                .is_none_or(|file| file.matches(subject.file_name()))
            && self.spec.matches(&package.record)
    }

    fn reads_json(&self) -> bool {
        let spec = &self.spec;
        spec.build_number.is_some()
            || spec.license.is_some()
            || spec.license_family.is_some()
            || spec.track_features.is_some()
            || spec.flags.is_some()
    }
}
