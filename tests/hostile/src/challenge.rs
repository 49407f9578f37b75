//! `WWW-Authenticate`: what a registry, or whoever stands in for it, asks to be logged in with.
//!
//! - A header that follows RFC 9110 is read as `strict`, an independent reading of its grammar, reads it.
//! - Whatever a challenge says, written by the rules it is read back the same.
//! - The login goes to the registry itself or to a realm that a challenge named, over https unless the user wrote
//!   `http://`; an identity token never goes to the registry itself.

use mirror_oci::registry::Credentials;
use mirror_oci::registry::hostile::{Asked, LoginGoes, challenges, login_goes};
use mirror_runtime::Secret;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

/// Each line of `data` is a header.
pub fn check(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(8) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    let found = challenges(&headers);
    assert!(found.len() <= data.len(), "more challenges than bytes");

    let texts = headers.get_all(WWW_AUTHENTICATE).iter();
    let expected: Option<Vec<Vec<Asked>>> = texts
        .filter_map(|value| value.to_str().ok())
        .map(strict::header)
        .collect();
    if let Some(expected) = expected {
        assert_eq!(found, expected.concat(), "by the grammar of RFC 9110");
    }
    for asked in &found {
        let written = one(&by_the_rules(asked));
        assert_eq!(challenges(&written), std::slice::from_ref(asked));
    }
    for login in logins() {
        for plain_http in [false, true] {
            let goes = login_goes(&headers, login.as_ref(), plain_http);
            only_where_it_may(goes.as_ref(), &found, login.as_ref(), plain_http);
        }
    }
}

fn logins() -> [Option<Credentials>; 3] {
    let secret = || Secret::new("hunter2");
    [
        None,
        Some(Credentials::new("me", secret())),
        Some(Credentials::identity_token(secret())),
    ]
}

fn only_where_it_may(
    goes: Option<&LoginGoes>,
    found: &[Asked],
    login: Option<&Credentials>,
    plain_http: bool,
) {
    match goes {
        None => {}
        Some(LoginGoes::Home) => {
            assert!(found.contains(&Asked::Basic), "nobody asked for it");
            assert!(
                !login.is_some_and(Credentials::is_identity_token),
                "an identity token at the registry itself"
            );
        }
        Some(LoginGoes::To(url)) => {
            let scheme = url.scheme();
            assert!(
                scheme == "https" || (plain_http && scheme == "http"),
                "the login goes to {url}"
            );
            let named = found.iter().any(|asked| match asked {
                Asked::Basic => false,
                Asked::Bearer { realm, .. } => url::Url::parse(realm).as_ref() == Ok(url),
            });
            assert!(named, "{url} is no challenge's realm");
        }
    }
}

fn one(header: &str) -> HeaderMap {
    let value = HeaderValue::from_str(header).expect("a challenge has only visible characters");
    HeaderMap::from_iter([(WWW_AUTHENTICATE, value)])
}

/// A challenge as RFC 9110 writes it.
fn by_the_rules(asked: &Asked) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#));
    match asked {
        Asked::Basic => format!("Basic realm={}", quoted("a, \"b\"")),
        Asked::Bearer {
            realm,
            service,
            scope,
        } => {
            let mut text = format!("Bearer realm={}", quoted(realm));
            for (key, value) in [("service", service), ("scope", scope)] {
                if let Some(value) = value {
                    text.push_str(&format!(",{key}={}", quoted(value)));
                }
            }
            text
        }
    }
}

/// The grammar of RFC 9110, 11.6.1, read from left to right.
mod strict {
    use super::Asked;

    /// The challenges of a header that follows the grammar; `None` for any other.
    pub(super) fn header(text: &str) -> Option<Vec<Asked>> {
        let mut rest = Rest(text);
        let mut found = Vec::new();
        loop {
            rest.commas();
            if rest.0.is_empty() {
                return Some(found);
            }
            found.extend(challenge(&mut rest)?);
        }
    }

    fn challenge(rest: &mut Rest<'_>) -> Option<Option<Asked>> {
        let scheme = rest.token()?.to_ascii_lowercase();
        let parameters = match rest.spaces() {
            0 => Vec::new(),
            _ => match rest.token68() {
                Some(_) => Vec::new(),
                None => parameters(rest)?,
            },
        };
        // What follows must be the end or the next of the list.
        let end = rest.0.trim_start_matches([' ', '\t']);
        if !end.is_empty() && !end.starts_with(',') {
            return None;
        }
        let get = |key: &str| {
            let found = parameters.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.clone())
        };
        Some(match &*scheme {
            "basic" => Some(Asked::Basic),
            "bearer" => get("realm").map(|realm| Asked::Bearer {
                realm,
                service: get("service"),
                scope: get("scope"),
            }),
            _ => None,
        })
    }

    fn parameters(rest: &mut Rest<'_>) -> Option<Vec<(String, String)>> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        loop {
            let mut ahead = Rest(rest.0);
            ahead.commas();
            let Some(parameter) = parameter(&mut ahead) else {
                return Some(parameters);
            };
            let (key, value) = parameter?;
            // Twice is against the rules, and readers differ on which counts.
            if parameters.iter().any(|(known, _)| *known == key) {
                return None;
            }
            parameters.push((key, value));
            *rest = ahead;
            let end = rest.0.trim_start_matches([' ', '\t']);
            if !end.starts_with(',') {
                return Some(parameters);
            }
        }
    }

    /// The outer `None`: no parameter begins here. The inner: one that is against the rules.
    fn parameter(rest: &mut Rest<'_>) -> Option<Option<(String, String)>> {
        let key = rest.token()?.to_ascii_lowercase();
        rest.spaces();
        rest.0 = rest.0.strip_prefix('=')?;
        rest.spaces();
        let value = match rest.0.strip_prefix('"') {
            Some(_) => rest.quoted(),
            None => rest.token().map(str::to_owned),
        };
        Some(value.map(|value| (key, value)))
    }

    struct Rest<'a>(&'a str);

    impl<'a> Rest<'a> {
        fn take(&mut self, is: impl Fn(char) -> bool) -> &'a str {
            let end = self.0.find(|c| !is(c)).unwrap_or(self.0.len());
            let (taken, rest) = self.0.split_at(end);
            self.0 = rest;
            taken
        }

        fn spaces(&mut self) -> usize {
            self.take(|c| c == ' ' || c == '\t').len()
        }

        fn commas(&mut self) {
            self.take(|c| matches!(c, ' ' | '\t' | ','));
        }

        fn token(&mut self) -> Option<&'a str> {
            let token = self.take(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
            (!token.is_empty()).then_some(token)
        }

        /// A word that is no parameter: nothing may follow it but a comma. With `=` at its end it may be taken for one.
        fn token68(&mut self) -> Option<&'a str> {
            let mut ahead = Rest(self.0);
            let word = ahead.take(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
            let end = ahead.0.trim_start_matches([' ', '\t']);
            let ends = end.is_empty() || end.starts_with(',');
            (!word.is_empty() && ends).then(|| {
                self.0 = ahead.0;
                word
            })
        }

        fn quoted(&mut self) -> Option<String> {
            let mut plain = String::new();
            let mut chars = self.0.char_indices().skip(1);
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        self.0 = &self.0[at + 1..];
                        return Some(plain);
                    }
                    '\\' => plain.push(chars.next()?.1),
                    c => plain.push(c),
                }
            }
            None
        }
    }
}
