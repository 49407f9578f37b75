//! One request to the registry: budgeted, logged in, parked and sent again when asked for patience.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use mirror_runtime::{HostBudget, RequestKind};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use url::Url;

use super::Registry;
use super::auth::{Access, Authorization};
use super::challenge::challenges;
use super::error::{RegistryError, causes};
use super::throttle;
use crate::body::Body;
use crate::layout;

/// How often one request is sent again after the registry asked for patience.
const MAX_PATIENCE: u32 = 5;
/// A longer pause than this is the worker's to wait out, with its task given back.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Largest error body that is read.
const MAX_ERROR: usize = 8 * 1024;
/// A request without a body is given up after this; one with a body gets time for it besides.
const BASE_TIMEOUT: Duration = Duration::from_secs(60);
/// The slowest upload that is not given up, in bytes a second.
const SLOWEST_UPLOAD: u64 = 128 * 1024;
/// How much of a file is read at once while it is sent.
const SEND_CHUNK: usize = 256 * 1024;

/// A request as the operations describe it.
pub(super) struct Request<'a> {
    pub action: &'static str,
    pub method: Method,
    pub url: Url,
    pub repository: &'a str,
    pub access: Access,
    pub content_type: Option<&'static str>,
    pub body: Option<&'a Body>,
    /// The answer is as long as it is: only its silence is limited (by the client).
    pub streamed: bool,
}

impl<'a> Request<'a> {
    pub(super) fn new(
        action: &'static str,
        method: Method,
        url: Url,
        repository: &'a str,
        access: Access,
    ) -> Self {
        Self {
            action,
            method,
            url,
            repository,
            access,
            content_type: None,
            body: None,
            streamed: false,
        }
    }

    /// For answers of any length.
    pub(super) fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }

    pub(super) fn with_body(mut self, content_type: &'static str, body: &'a Body) -> Self {
        self.content_type = Some(content_type);
        self.body = Some(body);
        self
    }

    fn kind(&self) -> RequestKind {
        match self.method {
            Method::GET | Method::HEAD => RequestKind::Read,
            _ => RequestKind::Write,
        }
    }

    /// How long the whole exchange may take.
    fn timeout(&self) -> Duration {
        let body = self.body.map_or(0, Body::len);
        BASE_TIMEOUT + Duration::from_secs(body / SLOWEST_UPLOAD)
    }
}

impl Registry {
    /// Sends `request` and gives whatever answer is neither a 401 to be logged in after nor a plea
    /// for patience.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Response, RegistryError> {
        let own_host = request.url.origin() == self.base.origin();
        let host = host_of(&request.url);
        let mut logged_in = false;
        let mut pleas = Pleas::default();
        loop {
            // Credentials stay at home: an upload may be sent on to a store elsewhere.
            let authorization = if own_host {
                let life = request.timeout() - BASE_TIMEOUT;
                let also_pull = self.configs.home();
                self.auth
                    .authorization(request.repository, request.access, also_pull, life)
                    .await?
            } else {
                Authorization::None
            };
            self.budget.admit(&host, request.kind()).await;
            let response = self.send_once(&request, &authorization).await?;
            let status = response.status();
            tracing::debug!(method = %request.method, repository = request.repository, status = status.as_u16(), request.action);

            // A store that we were redirected to has no say in how to log in here.
            let at_home = own_host && response.url().origin() == self.base.origin();
            if status == StatusCode::UNAUTHORIZED && at_home {
                let asked = challenges(response.headers());
                if !logged_in {
                    logged_in = true;
                    if self
                        .auth
                        .learn(&asked, request.repository, request.access, &authorization)
                        .await?
                    {
                        continue;
                    }
                }
                if !asked.is_empty() && !self.auth.has_credentials() {
                    return Err(self.auth.login_needed(request.repository));
                }
            }
            if !may_plead(status) {
                return Ok(response);
            }
            let answer = ErrorAnswer::read(response).await;
            let Some(pause) = answer.pause() else {
                return Err(answer.into_error(request.action, &self.host, request.repository));
            };
            pleas
                .heed(&*self.budget, request.action, &host, pause, answer.message)
                .await?;
        }
    }

    async fn send_once(
        &self,
        request: &Request<'_>,
        authorization: &Authorization,
    ) -> Result<Response, RegistryError> {
        let mut builder = self
            .http
            .request(request.method.clone(), request.url.clone());
        if !request.streamed {
            builder = builder.timeout(request.timeout());
        }
        if request.kind() == RequestKind::Read {
            // Without it distribution answers 404 for manifests that exist.
            builder = builder.header(ACCEPT, HeaderValue::from_static(layout::MANIFEST));
        }
        if let Some(content_type) = request.content_type {
            builder = builder.header(CONTENT_TYPE, content_type);
        }
        builder = match request.body {
            Some(Body::Memory(bytes)) => builder.body(bytes.clone()),
            Some(body) => {
                let source = body.open().await.map_err(|source| RegistryError::Local {
                    action: "read the spooled file to upload",
                    source,
                })?;
                let stream = ReaderStream::with_capacity(source, SEND_CHUNK);
                builder
                    .header(CONTENT_LENGTH, body.len())
                    .body(reqwest::Body::wrap_stream(stream))
            }
            // Some proxies answer 411 to a POST without a length.
            None if request.method == Method::POST => builder.header(CONTENT_LENGTH, 0),
            None => builder,
        };
        authorization
            .apply(builder)
            .send()
            .await
            .map_err(|error| RegistryError::Unreachable {
                action: request.action,
                host: self.host.clone(),
                repository: request.repository.to_owned(),
                cause: causes(error),
            })
    }
}

fn may_plead(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE
    )
}

/// The pleas for patience that one request has met.
#[derive(Default)]
pub(super) struct Pleas(u32);

impl Pleas {
    /// Parks `host`, so that the next try waits for its admission. An error when the host has asked
    /// for longer or more often than one request waits.
    pub(super) async fn heed(
        &mut self,
        budget: &dyn HostBudget,
        action: &'static str,
        host: &str,
        pause: Duration,
        message: String,
    ) -> Result<(), RegistryError> {
        let until = SystemTime::now() + pause;
        budget.park(host, until, &message).await;
        self.0 += 1;
        if self.0 <= MAX_PATIENCE && pause <= MAX_WAIT {
            return Ok(());
        }
        Err(RegistryError::Throttled {
            action,
            host: host.to_owned(),
            until,
            message,
        })
    }
}

/// `host[:port]`, the key of budgets.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The error that an unexpected answer is.
pub(super) async fn answered(
    action: &'static str,
    host: &str,
    repository: &str,
    response: Response,
) -> RegistryError {
    ErrorAnswer::read(response)
        .await
        .into_error(action, host, repository)
}

/// What a registry says when it refuses: spec JSON, or whatever came.
pub(super) struct ErrorAnswer {
    status: StatusCode,
    headers: HeaderMap,
    raw: String,
    code: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
struct SpecErrors {
    errors: Vec<SpecError>,
}

#[derive(Deserialize)]
struct SpecError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl ErrorAnswer {
    pub(super) async fn read(mut response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        // What came before the bound, or before the connection broke, says enough.
        let mut body = BytesMut::new();
        while let (true, Ok(Some(chunk))) = (body.len() < MAX_ERROR, response.chunk().await) {
            body.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR - body.len())]);
        }
        let raw = String::from_utf8_lossy(&body).into_owned();
        let spec = serde_json::from_str::<SpecErrors>(&raw).ok();
        let (code, message) = match spec.and_then(|spec| spec.errors.into_iter().next()) {
            Some(error) => (error.code, error.message),
            None => (String::new(), raw.clone()),
        };
        let shown = |text: &str, max| text.chars().filter(|c| !c.is_control()).take(max).collect();
        Self {
            status,
            headers,
            raw,
            code: shown(&code, 60),
            message: shown(message.trim(), 300),
        }
    }

    /// How long the registry asks to be left alone, if it does.
    pub(super) fn pause(&self) -> Option<Duration> {
        throttle::pause(self.status, &self.headers, &self.raw, SystemTime::now())
    }

    pub(super) fn into_error(
        self,
        action: &'static str,
        host: &str,
        repository: &str,
    ) -> RegistryError {
        RegistryError::Answered {
            action,
            host: host.to_owned(),
            repository: repository.to_owned(),
            status: self.status,
            code: self.code,
            message: self.message,
        }
    }
}

/// Why a body could not be read whole.
pub(super) enum ReadError {
    TooLarge(usize),
    Broken(reqwest::Error),
}

impl ReadError {
    pub(super) fn into_error(
        self,
        action: &'static str,
        host: &str,
        repository: &str,
    ) -> RegistryError {
        let (host, repository) = (host.to_owned(), repository.to_owned());
        match self {
            Self::TooLarge(limit) => RegistryError::TooLarge {
                action,
                host,
                repository,
                limit,
            },
            Self::Broken(error) => RegistryError::Unreachable {
                action,
                host,
                repository,
                cause: causes(error),
            },
        }
    }
}

/// Reads an answer's body up to `max` bytes.
pub(super) async fn read_limited(mut response: Response, max: usize) -> Result<Bytes, ReadError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(ReadError::Broken)? {
        if body.len() + chunk.len() > max {
            return Err(ReadError::TooLarge(max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
