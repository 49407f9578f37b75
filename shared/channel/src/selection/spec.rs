//! MatchSpecs: rattler reads them and matches them. Here is what it would ignore or trip over.

use rattler_conda_types::{
    MatchSpec, NamelessMatchSpec, PackageNameMatcher, ParseConstraintError, ParseMatchSpecError,
    ParseMatchSpecOptions, ParseVersionErrorKind, ParseVersionSpecError, StringMatcher,
    VersionSpec,
};

use super::condition::{Condition, Names};
use super::error::{PatternError, one_line};
use super::pattern::Pattern;

/// Understands a MatchSpec.
pub(super) fn parse(text: &str) -> Result<Pattern, PatternError> {
    check_numbers(text)?;
    if has_comment(text) {
        return Err(PatternError::Part {
            part: "a comment (the text after '#')",
            instead: "leave it out, or put the value it stands in between quotes",
        });
    }
    if text.starts_with('^') && !text.contains('$') {
        return Err(unfinished_regex());
    }
    let spec = if is_regex(text) {
        MatchSpec {
            name: text.parse().map_err(|error| refused(&error))?,
            ..MatchSpec::default()
        }
    } else {
        let (lenient, strict) = (
            options(ParseMatchSpecOptions::lenient()),
            options(ParseMatchSpecOptions::strict()),
        );
        // Leniently, the second of two values wins without a word.
        if let Err(error @ ParseMatchSpecError::MultipleValueForKey(_)) =
            MatchSpec::from_str(text, strict)
        {
            return Err(refused(&error));
        }
        match MatchSpec::from_str(text, lenient) {
            Ok(spec) => spec,
            Err(_) if text.contains("://") => return Err(URL),
            Err(_) if text.contains('[') && !text.ends_with(']') => {
                return Err(PatternError::Spec(
                    "the '[' is not closed by a ']' at the end".to_owned(),
                ));
            }
            Err(error) => return Err(PatternError::Spec(reason(&error))),
        }
    };
    if text.starts_with('^') && !matches!(spec.name, PackageNameMatcher::Regex(_)) {
        return Err(unfinished_regex());
    }
    check_parts(&spec)?;
    let file = spec.file_name.as_deref().map(str::parse::<StringMatcher>);
    let file = file.transpose().map_err(|error| refused(&error))?;
    understood(spec, file)
}

fn options(options: ParseMatchSpecOptions) -> ParseMatchSpecOptions {
    options
        .with_exact_names_only(false)
        .with_extras(true)
        .with_conditionals(true)
        .with_flags(true)
}

/// A whole pattern that is one regular expression for names. rattler's parser would cut it at a `:`.
fn is_regex(text: &str) -> bool {
    text.len() > 1
        && text.starts_with('^')
        && text.ends_with('$')
        && !text.contains(char::is_whitespace)
}

fn unfinished_regex() -> PatternError {
    PatternError::Spec("a regular expression begins with '^' and ends with '$'".to_owned())
}

const URL: PatternError = PatternError::Part {
    part: "a URL",
    instead: "give the channel with --channel, and a file as \"*[fn='FILE']\"",
};

/// Refuses what says nothing about the records of one subdir of one channel.
fn check_parts(spec: &MatchSpec) -> Result<(), PatternError> {
    let part = |part, instead| Err(PatternError::Part { part, instead });
    if spec.url.is_some() {
        return Err(URL);
    }
    if spec.channel.is_some() {
        return part("a channel", "give the channel with --channel");
    }
    if spec.subdir.is_some() {
        return part("a subdir", "give subdirs with --subdir");
    }
    if spec.namespace.is_some() {
        return part(
            "a namespace (the text before a ':')",
            "leave it out; write a version as name@1.2.13",
        );
    }
    if spec.extras.is_some() {
        return part(
            "extras",
            "give each package that they would install a pattern of its own",
        );
    }
    if spec.condition.is_some() {
        return part(
            "a 'when' condition",
            "leave it out; a mirror has no environment to ask",
        );
    }
    Ok(())
}

/// The pattern that a spec without foreign parts is.
pub(super) fn understood(
    mut spec: MatchSpec,
    file: Option<StringMatcher>,
) -> Result<Pattern, PatternError> {
    spec.version = spec.version.and_then(unless_any);
    if let PackageNameMatcher::Glob(glob) = &spec.name {
        // Names are compared in lower case; a regex is left alone, `\D` and `\d` are not the same.
        let lower = glob.as_str().to_ascii_lowercase();
        spec.name = lower.parse().map_err(|error| refused(&error))?;
    }
    // The few specs that have no canonical form have one meaning for each spelling.
    let meaning = spec
        .to_canonical_string()
        .unwrap_or_else(|_| spec.to_string());
    spec.file_name = None;
    let (name, rest) = spec.into_nameless();
    let names = match name {
        PackageNameMatcher::Exact(name) => {
            let name = name.as_normalized().to_owned();
            if file.is_none() && rest == NamelessMatchSpec::default() {
                return Ok(Pattern::name(name));
            }
            Names::One(name)
        }
        PackageNameMatcher::Glob(glob) if glob.as_str() == "*" => Names::Any,
        matcher => Names::Spec(matcher),
    };
    let condition = Condition::new(names, rest, file);
    Ok(Pattern::condition(condition, format!("spec {meaning:?}")))
}

/// `*` is no condition, so that it also matches a version that conda cannot read.
pub(super) fn unless_any(versions: VersionSpec) -> Option<VersionSpec> {
    Some(versions).filter(|versions| *versions != VersionSpec::Any)
}

/// rattler's parser panics on a build number above 64 bits.
fn check_numbers(text: &str) -> Result<(), PatternError> {
    for (at, key) in text.match_indices("build_number") {
        let value = text[at + key.len()..].trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let end = value
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(value.len());
        if end > 0 && value[..end].parse::<u64>().is_err() {
            return Err(PatternError::Spec(
                "the build number is too large".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Whether rattler would ignore the text after a `#`.
fn has_comment(text: &str) -> bool {
    let mut quote = None;
    text.chars().any(|c| {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            _ => {}
        }
        c == '#' && quote.is_none()
    })
}

fn refused(error: &dyn std::error::Error) -> PatternError {
    PatternError::Spec(one_line(error))
}

/// What rattler says, or what it means where it says it oddly.
fn reason(error: &ParseMatchSpecError) -> String {
    match error {
        ParseMatchSpecError::InvalidVersionSpec(error) => version_reason(error),
        ParseMatchSpecError::InvalidBracket => "the text in [ ] is no list of key=value".to_owned(),
        ParseMatchSpecError::InvalidBracketKey(key) => format!("{:?} is no key", one_line(key)),
        error => one_line(error),
    }
}

/// The same for version specs.
pub(super) fn version_reason(error: &ParseVersionSpecError) -> String {
    let odd = match error {
        ParseVersionSpecError::InvalidConstraint(ParseConstraintError::Nom(_)) => true,
        ParseVersionSpecError::InvalidConstraint(ParseConstraintError::InvalidVersion(error))
        | ParseVersionSpecError::InvalidVersion(error) => {
            error.version.is_empty() || matches!(error.kind, ParseVersionErrorKind::Nom(_))
        }
        ParseVersionSpecError::InvalidConstraint(_) => false,
    };
    if odd {
        "the version cannot be read".to_owned()
    } else {
        one_line(error)
    }
}
