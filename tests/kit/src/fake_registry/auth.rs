//! Who may do what: nobody asked, Basic credentials, or bearer tokens from
//! `/token` on the same server, each good for named repositories and actions.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{Refusal, error};
use super::log::Kind;
use super::route::Route;
use super::tokens::Tokens;

pub(super) const SERVICE: &str = "fake-registry";

/// How requests are authorized.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Everybody may do everything.
    #[default]
    Open,
    /// HTTP Basic, as ECR does.
    Basic {
        /// Name and password that may do everything.
        user: (String, String),
        /// What everybody else may do.
        anonymous: Anonymous,
    },
    /// Bearer tokens, as ghcr.io and most others do.
    Bearer(Bearer),
}

impl Auth {
    /// Basic credentials, nothing without them.
    #[must_use]
    pub fn basic(user: &str, password: &str) -> Self {
        Self::Basic {
            user: (user.to_owned(), password.to_owned()),
            anonymous: Anonymous::Nothing,
        }
    }

    /// Bearer tokens: the user may push and pull, everybody may pull.
    #[must_use]
    pub fn bearer(user: &str, password: &str) -> Self {
        Self::Bearer(Bearer {
            user: Some((user.to_owned(), password.to_owned())),
            ..Bearer::default()
        })
    }
}

/// What a request without credentials may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// Nothing; the token endpoint answers 401.
    Nothing,
    /// Read.
    Pull,
    /// Read and write.
    PullPush,
}

/// The token endpoint.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// Name and password that may do everything.
    pub user: Option<(String, String)>,
    /// What an anonymous token may do.
    pub anonymous: Anonymous,
    /// Requests for which a token is good; then it is 401 `invalid_token`.
    pub uses: Option<u64>,
    /// Life of a token in seconds as the endpoint tells it. The tokens
    /// themselves expire by `uses` and
    /// [`expire_tokens`](super::FakeRegistry::expire_tokens) only.
    pub expires_in: u64,
    /// Names of the JSON members that carry the token. The specification's
    /// endpoint sends both of the default.
    pub members: Vec<&'static str>,
    /// Whether the endpoint answers 403 for a repository that does not exist,
    /// to tokens without `push` (ghcr.io, rattler#2733).
    pub refuse_unknown_repositories: bool,
}

impl Default for Bearer {
    fn default() -> Self {
        Self {
            user: None,
            anonymous: Anonymous::Pull,
            uses: None,
            expires_in: 300,
            members: vec!["token", "access_token"],
            refuse_unknown_repositories: false,
        }
    }
}

pub(super) struct Need {
    pub(super) repository: String,
    pub(super) actions: &'static [&'static str],
}

/// What a request needs.
fn needs(route: &Route, mount_reads_source: bool) -> Vec<Need> {
    let need = |repository: &str, actions| Need {
        repository: repository.to_owned(),
        actions,
    };
    let mut needs = match route.kind {
        Kind::Ping | Kind::Token | Kind::Other => vec![],
        Kind::BlobHead
        | Kind::BlobGet
        | Kind::ManifestHead
        | Kind::ManifestGet
        | Kind::TagsList => {
            vec![need(&route.repository, &["pull"] as &[_])]
        }
        Kind::BlobDelete | Kind::ManifestDelete => vec![need(&route.repository, &["delete"])],
        _ => vec![need(&route.repository, &["pull", "push"])],
    };
    if let (Kind::Mount, true, Some(from)) = (route.kind, mount_reads_source, route.query("from")) {
        needs.push(need(from, &["pull"]));
    }
    needs
}

/// Lets the request pass or says 401 with a challenge. `base` is the URL of
/// this server as the client sees it.
pub(super) fn authorize(
    auth: &Auth,
    tokens: &Tokens,
    route: &Route,
    headers: &HeaderMap,
    base: &str,
    mount_reads_source: bool,
) -> Result<(), Refusal> {
    if route.kind == Kind::Token {
        return Ok(());
    }
    let needs = needs(route, mount_reads_source);
    let refuse = |challenge: String, detail: &str| {
        let mut answer = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", detail);
        let challenge = challenge
            .parse()
            .expect("scopes and URLs are visible ASCII");
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        Err(answer.into())
    };
    match auth {
        Auth::Open => Ok(()),
        Auth::Basic { user, anonymous } => {
            let given = credentials(headers);
            let read_only = needs.iter().all(|need| need.actions == ["pull"]);
            let allowed = match (&given, anonymous) {
                (Some(given), _) => given == user,
                (None, Anonymous::PullPush) => true,
                (None, Anonymous::Pull) => read_only && !needs.is_empty(),
                (None, Anonymous::Nothing) => false,
            };
            if allowed {
                return Ok(());
            }
            refuse(
                format!(r#"Basic realm="{SERVICE}""#),
                "authentication required",
            )
        }
        Auth::Bearer(_) => {
            let Err(reason) = tokens.check(headers, &needs) else {
                return Ok(());
            };
            let mut challenge = format!(r#"Bearer realm="{base}/token",service="{SERVICE}""#);
            let scope: Vec<String> = needs
                .iter()
                .map(|n| format!("repository:{}:{}", n.repository, n.actions.join(",")))
                .collect();
            if !scope.is_empty() {
                challenge += &format!(r#",scope="{}""#, scope.join(" "));
            }
            if let Some(reason) = reason {
                challenge += &format!(r#",error="{reason}""#);
            }
            refuse(challenge, reason.unwrap_or("authentication required"))
        }
    }
}

/// Name and password of `Authorization: Basic`.
pub(super) fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?);
    let decoded = String::from_utf8(decoded.ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
