//! `WWW-Authenticate` (RFC 9110, 11.6.1): how a registry wants to be logged in to.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// One challenge of a 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token from `realm`.
    Bearer {
        /// Where tokens are had.
        realm: String,
        /// The registry's name for itself there.
        service: Option<String>,
        /// The scope it wants, when it says so.
        scope: Option<String>,
    },
}

/// The challenges of an answer that we know, in their order; several headers and several in one.
#[must_use]
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse)
        .collect()
}

pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for part in split_outside_quotes(header) {
        let part = part.trim();
        // `Scheme key=value` opens a challenge, `key=value` goes on with it.
        let before_equals = part.split('=').next().unwrap_or_default().trim_end();
        let (scheme, parameter) = match before_equals.split_once(char::is_whitespace) {
            Some((scheme, _)) => (Some(scheme), part[scheme.len()..].trim_start()),
            None if !part.contains('=') => (Some(part), ""),
            None => (None, part),
        };
        if let Some(scheme) = scheme {
            found.push((scheme.to_ascii_lowercase(), Vec::new()));
        }
        if let (Some((_, parameters)), Some((key, value))) =
            (found.last_mut(), parameter.split_once('='))
        {
            parameters.push((key.trim().to_ascii_lowercase(), unquoted(value.trim())));
        }
    }
    found
        .into_iter()
        .filter_map(|(scheme, parameters)| known(&scheme, &parameters))
        .collect()
}

fn known(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let get = |key: &str| {
        let found = parameters.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    };
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: get("realm")?,
            service: get("service"),
            scope: get("scope"),
        }),
        _ => None,
    }
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
            scope: scope.map(Into::into),
        }
    }

    #[test]
    fn quoted_commas_and_several_challenges_are_told_apart() {
        let header = r#"Bearer realm="https://x/token",service="x",scope="repository:a/b:pull,push", Basic realm="r\"q""#;
        assert_eq!(
            parse(header),
            [
                bearer(
                    "https://x/token",
                    Some("x"),
                    Some("repository:a/b:pull,push")
                ),
                Challenge::Basic
            ]
        );
    }

    proptest::proptest! {
        /// The bytes come from whoever answers.
        #[test]
        fn no_header_makes_it_panic_or_grow(header in r#"[ -~,="\\éBbearic]{0,200}"#) {
            let found = parse(&header);
            proptest::prop_assert!(found.len() <= header.len());
        }

        #[test]
        fn what_is_written_by_the_rules_is_read_back(
            realm in "https://[a-z/,=]{1,20}",
            scope in "[a-z:/,\"\\\\]{0,20}",
            others in proptest::collection::vec("(Negotiate|Basic|Digest realm=\"a, b\")", 0..3),
        ) {
            let quoted = |text: &str| text.replace('\\', r"\\").replace('"', r#"\""#);
            let ours = format!(r#"Bearer realm="{}",scope="{}""#, quoted(&realm), quoted(&scope));
            let header = others.iter().cloned().chain([ours]).collect::<Vec<_>>().join(", ");
            let found = parse(&header);
            proptest::prop_assert_eq!(found.last(), Some(&bearer(&realm, None, Some(&scope))));
        }
    }

    #[test]
    fn schemes_we_do_not_know_and_broken_ones_are_passed_over() {
        assert_eq!(
            parse("Negotiate, bearer realm=https://x/t"),
            [bearer("https://x/t", None, None)]
        );
        assert_eq!(parse("Bearer service=x"), []);
        assert_eq!(parse("=,,\"=,\" x=\"y"), []);
        assert_eq!(parse("Basic"), [Challenge::Basic]);
    }
}
