//! The token endpoint: which tokens are asked for, and how long they last.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mirror_runtime::metrics::metrics;
use mirror_runtime::{RequestKind, Secret};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::{Access, Auth};
use crate::registry::answer::{ErrorAnswer, read_limited};
use crate::registry::error::RegistryError;
use crate::registry::reach::no_answer;
use crate::registry::request::host_of;
use crate::registry::send::Pleas;

/// What a token without `expires_in` lasts, and every token at the least (distribution's token
/// specification).
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
/// A token with less left than this is renewed before it is used.
const MIN_LEFT: Duration = Duration::from_secs(10);
/// No token is trusted for longer.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// Largest answer of a token endpoint that is read.
const MAX_TOKEN_ANSWER: usize = 256 * 1024;
/// One request for a token is given up after this: all who need the token wait for it.
const TIMEOUT: Duration = Duration::from_secs(60);

const ACTION: &str = "get a token";

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: Secret,
    /// It was asked for two repositories.
    pub(super) two_scopes: bool,
    /// The second of them.
    other: Option<String>,
    expires: Instant,
    life: Duration,
}

impl Token {
    /// Whether it was asked to be good for this repository too.
    pub(super) fn was_asked_for(&self, other: &str) -> bool {
        self.other.as_deref() == Some(other)
    }

    /// Whether a request that takes `needed` can be made with it. Half its life is always enough:
    /// else large uploads would each get a new one, which lasts hardly longer.
    pub(super) fn lasts(&self, needed: Duration) -> bool {
        let left = self.expires.saturating_duration_since(Instant::now());
        left > (MIN_LEFT + needed).min(self.life / 2)
    }
}

/// Where a token is had, and for which repository.
pub(super) struct Endpoint<'a> {
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    pub(super) repository: &'a str,
}

impl Auth {
    /// A token for `access`; one for pushing also pulls from `also_pull`, where the endpoint gives
    /// such.
    pub(super) async fn get_token(
        &self,
        endpoint: &Endpoint<'_>,
        access: Access,
        also_pull: Option<&str>,
    ) -> Result<Token, RegistryError> {
        let repository = endpoint.repository;
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let mut scopes = vec![format!("repository:{repository}:{actions}")];
        let also_pull = also_pull.filter(|other| {
            access == Access::Push
                && *other != repository
                && !self.one_scope_only.load(Ordering::Relaxed)
        });
        let Some(other) = also_pull else {
            return self.fetch(endpoint, &scopes).await;
        };
        scopes.push(format!("repository:{other}:pull"));
        let refused = match self.fetch(endpoint, &scopes).await {
            Err(RegistryError::LoginNeeded { .. }) => true,
            // Another failure may be over already, and says nothing about two repositories.
            Err(RegistryError::Answered { status, .. }) => {
                matches!(status.as_u16(), 400 | 401 | 403 | 404)
            }
            fetched => {
                return fetched.map(|token| Token {
                    other: Some(other.to_owned()),
                    ..token
                });
            }
        };
        let token = self.fetch(endpoint, &scopes[..1]).await?;
        if refused {
            self.one_scope_only.store(true, Ordering::Relaxed);
        }
        Ok(token)
    }

    /// The request for a token and its method: GET with the login as Basic, or POST where the login is an identity token (distribution's
    /// token specification, both).
    fn ask(
        &self,
        realm: &Url,
        service: Option<&str>,
        scopes: &[String],
    ) -> (&'static str, RequestBuilder) {
        let mut query: Vec<(&str, &str)> = scopes.iter().map(|scope| ("scope", &**scope)).collect();
        query.extend(service.map(|service| ("service", service)));
        match &self.credentials {
            None => ("GET", self.http.get(realm.clone()).query(&query)),
            Some(login) if login.is_identity_token() => {
                let joined = scopes.join(" ");
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", login.password.expose())
                    .append_pair("client_id", "conda-oci")
                    .append_pair("scope", &joined)
                    .extend_pairs(service.map(|service| ("service", service)));
                let request = self.http.post(realm.clone()).body(form.finish());
                let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                ("POST", request)
            }
            Some(login) => {
                let request = self.http.get(realm.clone()).query(&query);
                let password = Some(login.password.expose());
                ("GET", request.basic_auth(&login.username, password))
            }
        }
    }

    async fn fetch(
        &self,
        endpoint: &Endpoint<'_>,
        scopes: &[String],
    ) -> Result<Token, RegistryError> {
        let Endpoint {
            realm,
            service,
            repository,
        } = *endpoint;
        let realm_host = host_of(realm);
        let mut pleas = Pleas::default();
        let (asked, answer) = loop {
            let (method, request) = self.ask(realm, service, scopes);
            let request = request.timeout(TIMEOUT);
            self.budget.admit(&realm_host, RequestKind::Read).await;
            let asked = Instant::now();
            let answer = request.send().await;
            let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            metrics().request(&realm_host, method, asked.elapsed(), status);
            let answer = answer.map_err(|error| {
                // Tokens may be had at another host than packages.
                let why = no_answer(error);
                RegistryError::unanswered(ACTION, &realm_host, repository, why)
            })?;
            let status = answer.status();
            tracing::debug!(
                host = realm_host,
                repository,
                status = status.as_u16(),
                "token"
            );
            if status.is_success() {
                break (asked, answer);
            }
            let answer = ErrorAnswer::read(answer).await;
            if let Some(pause) = answer.pause() {
                pleas
                    .heed(&*self.budget, ACTION, &realm_host, pause, answer.message)
                    .await?;
                continue;
            }
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            if refused && self.credentials.is_none() {
                return Err(self.login_needed(repository));
            }
            return Err(answer.into_error(ACTION, repository));
        };
        let body = read_limited(answer, MAX_TOKEN_ANSWER)
            .await
            .map_err(|e| e.into_error(ACTION, &self.host, repository))?;
        let Some((secret, life)) = given(&body) else {
            return Err(RegistryError::Protocol {
                action: ACTION,
                host: self.host.clone(),
                repository: repository.to_owned(),
                problem: "the token endpoint's answer holds no token".into(),
            });
        };
        Ok(Token {
            secret,
            two_scopes: scopes.len() > 1,
            other: None,
            expires: asked + life,
            life,
        })
    }
}

/// The token of an answer, and how long it is taken to be good; `None` if it holds none.
pub(in crate::registry) fn given(answer: &[u8]) -> Option<(Secret, Duration)> {
    // A list would be read as its members in turn, whatever they were meant to be.
    let object = Some(answer).filter(|text| text.trim_ascii_start().starts_with(b"{"))?;
    let answer: TokenAnswer = serde_json::from_slice(object).ok()?;
    let token = answer.token.or(answer.access_token);
    let token = token.filter(|token| !token.is_empty())?;
    let said = life(&answer.expires_in);
    let life = life_of_jwt(&token).map_or(said, |written| said.min(written));
    Some((Secret::new(token), life))
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    /// A whole number by the specification; a token is good whatever stands here.
    #[serde(default, deserialize_with = "anything")]
    expires_in: Value,
}

/// Any JSON, null for what no [`Value`] holds (a number out of range).
fn anything<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// What `expires_in` says, in seconds, within bounds.
fn life(expires_in: &Value) -> Duration {
    let seconds = match expires_in {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let (shortest, longest) = (SHORTEST_LIFE.as_secs_f64(), LONGEST_LIFE.as_secs_f64());
    seconds
        .filter(|seconds| !seconds.is_nan())
        .map_or(SHORTEST_LIFE, |seconds| {
            Duration::from_secs_f64(seconds.clamp(shortest, longest))
        })
}

/// How long a JWT says it is good, `exp` less `iat`: no clock of ours is in that. `None` for other tokens, and for one
/// that does not say both.
fn life_of_jwt(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
        iat: f64,
    }
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let Claims { exp, iat } = serde_json::from_slice(&claims).ok()?;
    Some(life(&Value::from(exp - iat)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_kept_whatever_its_life_is_said_to_be() {
        let cases = [
            (json!(300), 300),
            (json!(300.0), 300),
            (json!("300"), 300),
            (json!(-1), 60),
            (json!(0), 60),
            (json!(u64::MAX), 86_400),
            (json!("NaN"), 60),
            (json!("soon"), 60),
            (json!(null), 60),
            (json!({}), 60),
        ];
        for (expires_in, seconds) in cases {
            let answer = json!({"token": "x", "expires_in": expires_in});
            let answer: TokenAnswer = serde_json::from_str(&answer.to_string()).unwrap();
            assert_eq!(answer.token.as_deref(), Some("x"), "{expires_in}");
            let expected = Duration::from_secs(seconds);
            assert_eq!(life(&answer.expires_in), expected, "{expires_in}");
        }
        for answer in [r#"{"token":"x"}"#, r#"{"token":"x","expires_in":1e999}"#] {
            let answer: TokenAnswer = serde_json::from_str(answer).unwrap();
            assert_eq!(life(&answer.expires_in), SHORTEST_LIFE);
        }
    }

    #[test]
    fn a_jwt_says_itself_how_long_it_is_good() {
        let jwt =
            |claims: Value| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let life = |claims| life_of_jwt(&jwt(claims)).map(|life| life.as_secs());
        assert_eq!(life(json!({"iat": 1000, "exp": 1240})), Some(240));
        assert_eq!(
            life(json!({"iat": 1000, "exp": 1001})),
            Some(60),
            "at the least"
        );
        assert_eq!(life(json!({"iat": 1000, "exp": 900})), Some(60));
        assert_eq!(life(json!({"exp": 1240})), None);
        for token in ["opaque", "a.b.c", "a.b.c.d", "", "..", "e30.e30.e30"] {
            assert_eq!(life_of_jwt(token), None, "{token}");
        }
    }
}
