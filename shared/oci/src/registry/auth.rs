//! Logging in: what the registry asks for is learned from its first 401, tokens are kept per
//! repository and fetched once however many requests wait for them.

pub(super) mod token;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use mirror_runtime::{HostBudget, Secret};
use reqwest::RequestBuilder;
use url::Url;

use super::challenge::Challenge;
use super::error::RegistryError;
use token::{Endpoint, Token};

/// Tokens kept at once; a channel has tens of thousands of repositories, each with its own.
const MAX_TOKENS: usize = 1024;

/// A login at a registry.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password or access token.
    pub password: Secret,
    /// The password is an OAuth2 refresh token, which is good at the token endpoint only.
    identity_token: bool,
}

impl Credentials {
    /// User and password.
    #[must_use]
    pub fn new(username: impl Into<String>, password: Secret) -> Self {
        Self {
            username: username.into(),
            password,
            identity_token: false,
        }
    }

    /// What Docker calls an identity token (Azure's registries give such).
    #[must_use]
    pub fn identity_token(token: Secret) -> Self {
        Self {
            identity_token: true,
            ..Self::new("<token>", token)
        }
    }

    /// Whether it is an identity token.
    #[must_use]
    pub fn is_identity_token(&self) -> bool {
        self.identity_token
    }
}

/// What a request wants to do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Pull,
    Push,
}

/// Another repository that a token for pushing is to be good for as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlsoPull<'a> {
    /// A token without it would not do.
    pub needed: Option<&'a str>,
    /// One that is asked for in any case had better have it.
    pub useful: Option<&'a str>,
}

/// What goes into the `Authorization` header.
#[derive(Debug, Clone)]
pub(super) enum Authorization {
    None,
    Basic(Credentials),
    Bearer {
        token: Secret,
        /// It was asked for two repositories.
        two_scopes: bool,
    },
}

impl Authorization {
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::None => request,
            Self::Basic(login) => {
                request.basic_auth(&login.username, Some(login.password.expose()))
            }
            Self::Bearer { token, .. } => request.bearer_auth(token.expose()),
        }
    }
}

/// How a registry is logged in to.
#[derive(Debug, Clone)]
pub(super) enum Scheme {
    Unknown,
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

type TokenSlot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// The login state of one registry.
#[derive(Debug)]
pub(super) struct Auth {
    host: String,
    plain_http: bool,
    credentials: Option<Credentials>,
    /// Nothing is ever pushed: whoever is logged in may be allowed to read and no more.
    pub(super) only_reads: bool,
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
            only_reads: false,
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

    /// With a login one token serves reads and writes; without one, only reading may be allowed.
    pub(super) fn read_access(&self) -> Access {
        match self.credentials {
            Some(_) if !self.only_reads => Access::Push,
            _ => Access::Pull,
        }
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
        also_pull: AlsoPull<'_>,
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
                let enough = |token: &Token| {
                    let mounts = also_pull
                        .needed
                        .is_none_or(|other| token.was_asked_for(other));
                    token.lasts(life) && (mounts || self.one_scope_only.load(Ordering::Relaxed))
                };
                if !token.as_ref().is_some_and(enough) {
                    let endpoint = Endpoint {
                        realm: &realm,
                        service: service.as_deref(),
                        repository,
                    };
                    let other = also_pull.needed.or(also_pull.useful);
                    *token = Some(self.get_token(&endpoint, access, other).await?);
                }
                Ok(token
                    .as_ref()
                    .map_or(Authorization::None, |token| Authorization::Bearer {
                        token: token.secret.clone(),
                        two_scopes: token.two_scopes,
                    }))
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
        let login = self.credentials.as_ref();
        let Some(scheme) = Scheme::choose(challenges, login, self.plain_http) else {
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
        if let Authorization::Bearer { token: refused, .. } = sent {
            let slot = self.slot(repository, access);
            let mut token = slot.lock().await;
            // Somebody else may have renewed it meanwhile: that one is still good.
            if token.as_ref().is_some_and(|t| t.secret == *refused) {
                *token = None;
            }
        }
        Ok(again)
    }

    /// Takes in the 401 of a request whose token was new. Some endpoints give a token for the last of
    /// two repositories only: from now on tokens are asked for one. `false` when that changes nothing.
    pub(super) async fn narrow(
        &self,
        repository: &str,
        access: Access,
        sent: &Authorization,
    ) -> bool {
        let Authorization::Bearer {
            two_scopes: true, ..
        } = sent
        else {
            return false;
        };
        self.one_scope_only.store(true, Ordering::Relaxed);
        let slot = self.slot(repository, access);
        let mut token = slot.lock().await;
        if token.as_ref().is_some_and(|token| token.two_scopes) {
            *token = None;
        }
        true
    }

    fn slot(&self, repository: &str, access: Access) -> TokenSlot {
        let mut tokens = self.tokens.lock().expect("no panic under this lock");
        if tokens.len() >= MAX_TOKENS {
            // Slots in use stay: their holders would otherwise fetch twice.
            tokens.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(tokens.entry((repository.to_owned(), access)).or_default())
    }
}

impl Scheme {
    /// The first scheme that is usable; without a login rather one that may do without. `plain_http`: the user himself
    /// wrote `http://`.
    pub(super) fn choose(
        challenges: &[Challenge],
        login: Option<&Credentials>,
        plain_http: bool,
    ) -> Option<Self> {
        let mut usable = challenges
            .iter()
            .filter_map(|asked| Self::usable(asked, login, plain_http));
        if login.is_some() {
            return usable.next();
        }
        let mut first = None;
        for scheme in usable {
            if matches!(scheme, Self::Bearer { .. }) {
                return Some(scheme);
            }
            first.get_or_insert(scheme);
        }
        first
    }

    /// Credentials go to a realm over https only, or where the user himself wrote `http://`.
    fn usable(
        challenge: &Challenge,
        login: Option<&Credentials>,
        plain_http: bool,
    ) -> Option<Self> {
        match challenge {
            Challenge::Basic if login.is_some_and(Credentials::is_identity_token) => None,
            Challenge::Basic => Some(Self::Basic),
            Challenge::Bearer { realm, service, .. } => {
                let realm = Url::parse(realm).ok()?;
                let safe = realm.scheme() == "https" || (realm.scheme() == "http" && plain_http);
                safe.then(|| Self::Bearer {
                    realm,
                    service: service.clone(),
                })
            }
        }
    }
}
