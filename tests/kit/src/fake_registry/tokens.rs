//! The token endpoint and the tokens it gave out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::answer::{Answer, Builder, error};
use super::auth::{Anonymous, Bearer, Need, SERVICE, credentials};
use super::route::Route;

/// Actions by repository.
type Grant = BTreeMap<String, BTreeSet<String>>;

struct Token {
    grant: Grant,
    uses_left: Option<u64>,
}

/// The tokens given out.
#[derive(Default)]
pub(super) struct Tokens {
    tokens: Mutex<HashMap<String, Token>>,
}

impl Tokens {
    fn tokens(&self) -> MutexGuard<'_, HashMap<String, Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn expire_all(&self) {
        self.tokens().clear();
    }

    /// The answer of `/token`.
    pub(super) fn give(
        &self,
        bearer: &Bearer,
        route: &Route,
        headers: &HeaderMap,
        knows_repository: impl Fn(&str) -> bool,
    ) -> Answer {
        let may_push = match credentials(headers) {
            Some(given) if bearer.user.as_ref() == Some(&given) => true,
            None if bearer.anonymous != Anonymous::Nothing => {
                bearer.anonymous == Anonymous::PullPush
            }
            _ => {
                return error(
                    StatusCode::UNAUTHORIZED,
                    "UNAUTHORIZED",
                    "wrong credentials",
                );
            }
        };
        if route.query("service") != Some(SERVICE) {
            let detail = format!("service is not {SERVICE}");
            return error(StatusCode::BAD_REQUEST, "UNSUPPORTED", detail);
        }
        let mut grant = Grant::new();
        for scope in route.query_all("scope").flat_map(str::split_whitespace) {
            let Some((repository, actions)) = parse_scope(scope) else {
                return error(
                    StatusCode::BAD_REQUEST,
                    "UNSUPPORTED",
                    format!("scope {scope}"),
                );
            };
            let granted: BTreeSet<String> = actions
                .filter(|action| {
                    *action == "pull" || (may_push && matches!(*action, "push" | "delete"))
                })
                .map(str::to_owned)
                .collect();
            if bearer.refuse_unknown_repositories
                && !granted.contains("push")
                && !knows_repository(repository)
            {
                let detail = "requested access to the resource is denied";
                return error(StatusCode::FORBIDDEN, "DENIED", detail);
            }
            grant
                .entry(repository.to_owned())
                .or_default()
                .extend(granted);
        }
        let mut tokens = self.tokens();
        let token = format!("fake-token-{:016x}", unguessable(tokens.len()));
        tokens.insert(
            token.clone(),
            Token {
                grant,
                uses_left: bearer.uses,
            },
        );
        let mut body = json!({"expires_in": bearer.expires_in});
        for member in &bearer.members {
            body[*member] = json!(token);
        }
        Builder::new(StatusCode::OK)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Whether the token may do all of `needed`; the error of the challenge if
    /// not.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        needed: &[Need],
    ) -> Result<(), Option<&'static str>> {
        let value = headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok());
        let Some(token) = value.and_then(|v| v.strip_prefix("Bearer ")) else {
            return Err(None);
        };
        let mut tokens = self.tokens();
        let known = tokens.get_mut(token).ok_or(Some("invalid_token"))?;
        match &mut known.uses_left {
            Some(0) => return Err(Some("invalid_token")),
            Some(left) => *left -= 1,
            None => {}
        }
        let allows = |need: &Need| {
            let actions = known.grant.get(&need.repository);
            actions.is_some_and(|actions| need.actions.iter().all(|a| actions.contains(*a)))
        };
        if needed.iter().all(allows) {
            Ok(())
        } else {
            Err(Some("insufficient_scope"))
        }
    }
}

/// A value that differs from all earlier ones of this process and is not
/// guessed by counting.
fn unguessable(salt: usize) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(salt)
}

/// `repository:<name>:<action>[,<action>]`
fn parse_scope(scope: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
    let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    Some((name, actions.split(',')))
}
