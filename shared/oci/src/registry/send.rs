//! One request to the registry: budgeted, logged in, parked and sent again when asked for patience.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use mirror_runtime::RequestKind;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
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
        }
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
        let mut patience = 0;
        loop {
            // Credentials stay at home: an upload may be sent on to a store elsewhere.
            let authorization = if own_host {
                let life = request.timeout() - BASE_TIMEOUT;
                self.auth
                    .authorization(request.repository, request.access, life)
                    .await?
            } else {
                Authorization::None
            };
            self.budget.admit(&host, request.kind()).await;
            let response = self.send_once(&request, &authorization).await?;
            let status = response.status();
            tracing::debug!(method = %request.method, repository = request.repository, status = status.as_u16(), request.action);

            if status == StatusCode::UNAUTHORIZED && own_host && !logged_in {
                logged_in = true;
                let asked = challenges(response.headers());
                if self
                    .auth
                    .learn(&asked, request.repository, request.access, &authorization)
                    .await?
                {
                    continue;
                }
            }
            if !may_plead(status) {
                return Ok(response);
            }
            let headers = response.headers().clone();
            let answer = ErrorAnswer::read(response).await;
            let Some(pause) = throttle::pause(status, &headers, &answer.raw) else {
                return Err(answer.into_error(request.action, &self.host, request.repository));
            };
            let until = SystemTime::now() + pause;
            self.budget.park(&host, until, &answer.message).await;
            patience += 1;
            if patience > MAX_PATIENCE || pause > MAX_WAIT {
                return Err(RegistryError::Throttled {
                    action: request.action,
                    host,
                    until,
                    message: answer.message,
                });
            }
        }
    }

    async fn send_once(
        &self,
        request: &Request<'_>,
        authorization: &Authorization,
    ) -> Result<Response, RegistryError> {
        let mut builder = self
            .http
            .request(request.method.clone(), request.url.clone())
            .timeout(request.timeout());
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
struct ErrorAnswer {
    status: StatusCode,
    raw: String,
    code: String,
    message: String,
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
    async fn read(response: Response) -> Self {
        let status = response.status();
        let body = read_limited(response, MAX_ERROR).await.unwrap_or_default();
        let raw = String::from_utf8_lossy(&body).into_owned();
        let spec = serde_json::from_str::<SpecErrors>(&raw).ok();
        let (code, message) = match spec.and_then(|spec| spec.errors.into_iter().next()) {
            Some(error) => (error.code, error.message),
            None => (String::new(), raw.clone()),
        };
        let shown = |text: &str, max| text.chars().filter(|c| !c.is_control()).take(max).collect();
        Self {
            status,
            raw,
            code: shown(&code, 60),
            message: shown(message.trim(), 300),
        }
    }

    fn into_error(self, action: &'static str, host: &str, repository: &str) -> RegistryError {
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
            Self::TooLarge(max) => RegistryError::Protocol {
                action,
                host,
                repository,
                problem: format!("the answer is larger than {max} bytes"),
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
