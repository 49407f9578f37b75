//! Logging in: what the registry asks for is learned from its first 401, tokens are kept per
//! repository and fetched once however many requests wait for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use mirror_runtime::{HostBudget, RequestKind, Secret};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use url::Url;

use super::challenge::Challenge;
use super::error::{RegistryError, causes};
use super::send::{ErrorAnswer, Pleas, host_of, read_limited};

/// Tokens kept at once; a channel has tens of thousands of repositories, each with its own.
const MAX_TOKENS: usize = 1024;
/// What a token without `expires_in` lasts (distribution's token specification).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// A token with less left than this is renewed before it is used.
const MIN_LEFT: Duration = Duration::from_secs(10);
/// No token is trusted for longer.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// Largest answer of a token endpoint that is read.
const MAX_TOKEN_ANSWER: usize = 256 * 1024;

const ACTION: &str = "get a token";

/// User and password of the registry.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password or access token.
    pub password: Secret,
}

/// What a request wants to do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Pull,
    Push,
}

/// What goes into the `Authorization` header.
#[derive(Debug, Clone)]
pub(super) enum Authorization {
    None,
    Basic(Credentials),
    Bearer(Secret),
}

impl Authorization {
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::None => request,
            Self::Basic(login) => {
                request.basic_auth(&login.username, Some(login.password.expose()))
            }
            Self::Bearer(token) => request.bearer_auth(token.expose()),
        }
    }
}

#[derive(Debug, Clone)]
enum Scheme {
    Unknown,
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

#[derive(Debug, Clone)]
struct Token {
    secret: Secret,
    expires: Instant,
    life: Duration,
}

impl Token {
    /// Whether a request that takes `needed` can be made with it. Half its life is always enough: a
    /// new one would not last longer.
    fn lasts(&self, needed: Duration) -> bool {
        let left = self.expires.saturating_duration_since(Instant::now());
        left > (MIN_LEFT + needed).min(self.life / 2)
    }
}

/// Where a token is had, and for which repository.
struct Endpoint<'a> {
    realm: &'a Url,
    service: Option<&'a str>,
    repository: &'a str,
}

type TokenSlot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// The login state of one registry.
#[derive(Debug)]
pub(super) struct Auth {
    host: String,
    plain_http: bool,
    credentials: Option<Credentials>,
    scheme: RwLock<Scheme>,
    tokens: Mutex<HashMap<(String, Access), TokenSlot>>,
    /// The token endpoint gives no token for two repositories.
    one_scope_only: AtomicBool,
    http: reqwest::Client,
    budget: Arc<dyn HostBudget>,
}

impl Auth {
    pub(super) fn new(
        base: &Url,
        host: String,
        credentials: Option<Credentials>,
        http: reqwest::Client,
        budget: Arc<dyn HostBudget>,
    ) -> Self {
        Self {
            host,
            plain_http: base.scheme() == "http",
            credentials,
            scheme: RwLock::new(Scheme::Unknown),
            tokens: Mutex::default(),
            one_scope_only: AtomicBool::new(false),
            http,
            budget,
        }
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    pub(super) fn login_needed(&self, repository: &str) -> RegistryError {
        RegistryError::LoginNeeded {
            host: self.host.clone(),
            repository: repository.to_owned(),
        }
    }

    /// What to send with the next request to `repository`; fetches a token if one is needed. One
    /// for pushing also pulls from `also_pull`, which mounting from there needs. `life` is how long
    /// the request may take at the least.
    pub(super) async fn authorization(
        &self,
        repository: &str,
        access: Access,
        also_pull: Option<&str>,
        life: Duration,
    ) -> Result<Authorization, RegistryError> {
        let scheme = self
            .scheme
            .read()
            .expect("no panic under this lock")
            .clone();
        match (scheme, &self.credentials) {
            (Scheme::Unknown, _) | (Scheme::Basic, None) => Ok(Authorization::None),
            (Scheme::Basic, Some(login)) => Ok(Authorization::Basic(login.clone())),
            (Scheme::Bearer { realm, service }, _) => {
                let slot = self.slot(repository, access);
                let mut token = slot.lock().await;
                if !token.as_ref().is_some_and(|token| token.lasts(life)) {
                    let endpoint = Endpoint {
                        realm: &realm,
                        service: service.as_deref(),
                        repository,
                    };
                    *token = Some(self.get_token(&endpoint, access, also_pull).await?);
                }
                let secret = token.as_ref().map(|t| t.secret.clone());
                Ok(secret.map_or(Authorization::None, Authorization::Bearer))
            }
        }
    }

    /// Takes in a 401: learns the scheme and forgets the token that was refused. `false` when a
    /// second try would send the same thing again.
    pub(super) async fn learn(
        &self,
        challenges: &[Challenge],
        repository: &str,
        access: Access,
        sent: &Authorization,
    ) -> Result<bool, RegistryError> {
        let Some(scheme) = challenges
            .iter()
            .find_map(|challenge| self.usable(challenge))
        else {
            return Ok(false);
        };
        let again = match (&scheme, sent) {
            (Scheme::Unknown, _) | (Scheme::Basic, Authorization::Basic(_)) => false,
            (Scheme::Basic, _) if self.credentials.is_none() => {
                return Err(self.login_needed(repository));
            }
            _ => true,
        };
        *self.scheme.write().expect("no panic under this lock") = scheme;
        if let Authorization::Bearer(refused) = sent {
            let slot = self.slot(repository, access);
            let mut token = slot.lock().await;
            // Somebody else may have renewed it meanwhile: that one is still good.
            if token.as_ref().is_some_and(|t| t.secret == *refused) {
                *token = None;
            }
        }
        Ok(again)
    }

    /// Credentials go to a realm over https only, or where the user himself wrote `http://`.
    fn usable(&self, challenge: &Challenge) -> Option<Scheme> {
        match challenge {
            Challenge::Basic => Some(Scheme::Basic),
            Challenge::Bearer { realm, service, .. } => {
                let realm = Url::parse(realm).ok()?;
                let safe =
                    realm.scheme() == "https" || (realm.scheme() == "http" && self.plain_http);
                safe.then(|| Scheme::Bearer {
                    realm,
                    service: service.clone(),
                })
            }
        }
    }

    fn slot(&self, repository: &str, access: Access) -> TokenSlot {
        let mut tokens = self.tokens.lock().expect("no panic under this lock");
        if tokens.len() >= MAX_TOKENS {
            // Slots in use stay: their holders would otherwise fetch twice.
            tokens.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(tokens.entry((repository.to_owned(), access)).or_default())
    }

    async fn get_token(
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
        match self.fetch(endpoint, &scopes).await {
            Err(RegistryError::Answered { .. } | RegistryError::LoginNeeded { .. }) => {
                let token = self.fetch(endpoint, &scopes[..1]).await?;
                self.one_scope_only.store(true, Ordering::Relaxed);
                Ok(token)
            }
            fetched => fetched,
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
            let scopes: Vec<_> = scopes.iter().map(|scope| ("scope", scope)).collect();
            let mut request = self.http.get(realm.clone()).query(&scopes);
            if let Some(service) = service {
                request = request.query(&[("service", service)]);
            }
            if let Some(login) = &self.credentials {
                request = request.basic_auth(&login.username, Some(login.password.expose()));
            }
            self.budget.admit(&realm_host, RequestKind::Read).await;
            let asked = Instant::now();
            let answer = request
                .send()
                .await
                .map_err(|error| RegistryError::Unreachable {
                    action: ACTION,
                    host: self.host.clone(),
                    repository: repository.to_owned(),
                    cause: causes(error),
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
            return Err(answer.into_error(ACTION, &self.host, repository));
        };
        let body = read_limited(answer, MAX_TOKEN_ANSWER)
            .await
            .map_err(|e| e.into_error(ACTION, &self.host, repository))?;
        let answer: TokenAnswer = serde_json::from_slice(&body).unwrap_or_default();
        let secret = answer
            .token
            .or(answer.access_token)
            .filter(|token| !token.is_empty());
        let Some(secret) = secret else {
            return Err(RegistryError::Protocol {
                action: ACTION,
                host: self.host.clone(),
                repository: repository.to_owned(),
                problem: "the token endpoint's answer holds no token".into(),
            });
        };
        let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
        // So that the sum below cannot overflow, whatever the answer says.
        let life = life.min(LONGEST_LIFE);
        Ok(Token {
            secret: Secret::new(secret),
            expires: asked + life,
            life,
        })
    }
}

#[derive(Deserialize, Default)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}
