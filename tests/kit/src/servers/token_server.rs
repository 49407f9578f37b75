//! A token endpoint for a real registry: gives one user tokens that distribution believes (JWT, ES256, with the certificate
//! of their key in `x5c`), each good for the scopes asked for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::tls::TestCa;

/// The registry's name for itself, in challenges and tokens.
pub(super) const SERVICE: &str = "the-tests-registry";
/// Who gives the tokens.
pub(super) const ISSUER: &str = "the-tests-issuer";
/// How long a token is good, in seconds.
const LIFE: u64 = 300;
/// Bytes of each of the two numbers of an ES256 signature.
const HALF: usize = 32;

/// A running endpoint on `127.0.0.1`. It runs on the runtime that started it and stops when dropped.
pub struct TokenServer {
    addr: SocketAddr,
    ca: TestCa,
    _stop: DropGuard,
}

struct Issuer {
    user: (String, String),
    key: KeyPair,
    /// DER in base64, as `x5c` wants it.
    certificate: String,
}

impl TokenServer {
    /// Starts it for one user, who may do everything.
    ///
    /// # Errors
    /// If no port is to be had.
    pub async fn start(user: &str, password: &str) -> Result<Self> {
        let ca = TestCa::new();
        let made = ca.issue();
        let lines = made
            .certificate
            .lines()
            .filter(|line| !line.starts_with("-----"));
        let issuer = Issuer {
            user: (user.to_owned(), password.to_owned()),
            key: KeyPair::from_pem(&made.key)?,
            certificate: lines.collect(),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let routes = Router::new()
            .route("/token", get(give))
            .with_state(Arc::new(issuer));
        tokio::spawn(async move {
            // It ends by `stop` alone.
            let _ = axum::serve(listener, routes)
                .with_graceful_shutdown(stopped)
                .await;
        });
        Ok(Self {
            addr,
            ca,
            _stop: stop.drop_guard(),
        })
    }

    pub(super) fn realm(&self) -> String {
        format!("http://{}/token", self.addr)
    }

    /// The certificate that vouches for the key of its tokens, as PEM.
    pub(super) fn authority(&self) -> &str {
        self.ca.pem()
    }
}

async fn give(
    State(issuer): State<Arc<Issuer>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let (user, password) = &issuer.user;
    let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let given = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if given != Some(expected.as_str()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let query = query.unwrap_or_default();
    let scopes = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "scope");
    let access = scopes.filter_map(|(_, scope)| {
        let (kind, rest) = scope.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: Vec<&str> = actions.split(',').collect();
        Some(json!({"type": kind, "name": name, "actions": actions}))
    });
    let token = token(&issuer, access.collect()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(json!({"token": token, "expires_in": LIFE})))
}

fn token(issuer: &Issuer, access: Vec<Value>) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [issuer.certificate]});
    let claims = json!({
        "iss": ISSUER, "sub": issuer.user.0, "aud": SERVICE, "jti": format!("{now}"),
        "iat": now, "nbf": now - 10, "exp": now + LIFE, "access": access,
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = fixed(&issuer.key.sign(signed.as_bytes())?).context("an ECDSA signature")?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The two numbers of a signature in DER, each of [`HALF`] bytes, as JWTs have them.
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut both) = (der.get(2..)?, Vec::with_capacity(2 * HALF));
    for _ in 0..2 {
        let len = usize::from(*rest.get(1)?);
        let number = rest.get(2..2 + len)?;
        let digits = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        both.extend(std::iter::repeat_n(0, HALF.checked_sub(digits.len())?));
        both.extend_from_slice(digits);
        rest = &rest[2 + len..];
    }
    Some(both)
}
