//! What strangers' answers are read by, for `tests/hostile`, which feeds it anything. No part of releases.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use url::Url;

use super::answer::ErrorAnswer;
use super::auth::{Scheme, token};
use super::challenge::{self, Challenge};
use super::{Credentials, blobs, send};

/// A challenge of a 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// User and password with each request.
    Basic,
    /// A token.
    Bearer {
        /// Where it is had.
        realm: String,
        /// The registry's name for itself there.
        service: Option<String>,
        /// What for.
        scope: Option<String>,
    },
}

/// The challenges in `WWW-Authenticate` that we know.
#[must_use]
pub fn challenges(headers: &HeaderMap) -> Vec<Asked> {
    let asked = challenge::challenges(headers).into_iter();
    asked
        .map(|challenge| match challenge {
            Challenge::Basic => Asked::Basic,
            Challenge::Bearer {
                realm,
                service,
                scope,
            } => Asked::Bearer {
                realm,
                service,
                scope,
            },
        })
        .collect()
}

/// Who gets the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginGoes {
    /// The registry itself.
    Home,
    /// Whoever is at this address.
    To(Url),
}

/// Where a 401 makes us send the login, if anywhere. `plain_http`: the user wrote `http://`.
#[must_use]
pub fn login_goes(
    headers: &HeaderMap,
    login: Option<&Credentials>,
    plain_http: bool,
) -> Option<LoginGoes> {
    match Scheme::choose(&challenge::challenges(headers), login, plain_http)? {
        Scheme::Unknown => None,
        Scheme::Basic => Some(LoginGoes::Home),
        Scheme::Bearer { realm, .. } => Some(LoginGoes::To(realm)),
    }
}

/// Where `Location` leads from the address that answered, if it is followed.
#[must_use]
pub fn location(answered: &Url, header: &HeaderValue) -> Option<Url> {
    blobs::resolved(answered, header)
}

/// Whether a request to `url` carries the login of the registry at `base`.
#[must_use]
pub fn carries_login(base: &Url, url: &Url) -> bool {
    send::is_home(base, url)
}

/// The token in an answer of a token endpoint, and how long it is taken to be good.
#[must_use]
pub fn token(answer: &[u8]) -> Option<(String, Duration)> {
    let (secret, life) = token::given(answer)?;
    Some((secret.expose().to_owned(), life))
}

/// What is made of an answer that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// How long the host is left alone, if it asks for that.
    pub pause: Option<Duration>,
    /// The error's code, fit for a log.
    pub code: String,
    /// The error's text, fit for a log.
    pub message: String,
}

/// What is made of an answer with this status, these headers and these bytes.
#[must_use]
pub fn refusal(status: StatusCode, headers: HeaderMap, body: &[u8], now: SystemTime) -> Refusal {
    let answer = ErrorAnswer::of(String::new(), status, headers, body);
    Refusal {
        pause: answer.pause_at(now),
        code: answer.code,
        message: answer.message,
    }
}
