//! Answers read within bounds, those that refuse included.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::error::RegistryError;
use super::reach::no_answer;
use super::request::host_of;
use super::throttle;

/// How much of an error body is read, in bytes.
const MAX_ERROR: usize = 8 * 1024;
/// How long an error body is waited for.
const ERROR_TIME: Duration = Duration::from_secs(30);

/// The error that an unexpected answer is.
pub(super) async fn answered(
    action: &'static str,
    repository: &str,
    response: Response,
) -> RegistryError {
    ErrorAnswer::read(response)
        .await
        .into_error(action, repository)
}

/// What a registry says when it refuses: spec JSON, or whatever came.
pub(super) struct ErrorAnswer {
    /// Who said it: not always the one who was asked first.
    host: String,
    status: StatusCode,
    headers: HeaderMap,
    raw: String,
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
struct SpecErrors {
    errors: Vec<SpecError>,
}

#[derive(Deserialize)]
struct SpecError {
    code: Option<String>,
    message: Option<String>,
}

impl ErrorAnswer {
    pub(super) async fn read(mut response: Response) -> Self {
        let host = host_of(response.url());
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        let reading = async {
            while body.len() < MAX_ERROR
                && let Ok(Some(chunk)) = response.chunk().await
            {
                body.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR - body.len())]);
            }
        };
        // What came in that time, before the bound, or before the connection broke, says enough.
        let _ = tokio::time::timeout(ERROR_TIME, reading).await;
        Self::of(host, status, headers, &body)
    }

    /// What these bytes of a body say.
    pub(super) fn of(host: String, status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(body).into_owned();
        let spec = serde_json::from_str::<SpecErrors>(&raw).ok();
        let (code, message) = match spec.and_then(|spec| spec.errors.into_iter().next()) {
            Some(error) => (
                error.code.unwrap_or_default(),
                error.message.unwrap_or_default(),
            ),
            None => (String::new(), raw.clone()),
        };
        let shown = |text: &str, max| text.chars().filter(|c| !c.is_control()).take(max).collect();
        Self {
            host,
            status,
            headers,
            raw,
            code: shown(&code, 60),
            message: shown(message.trim(), 300),
        }
    }

    /// How long the registry asks to be left alone, if it does.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.pause_at(SystemTime::now())
    }

    pub(super) fn pause_at(&self, now: SystemTime) -> Option<Duration> {
        throttle::pause(self.status, &self.headers, &self.raw, now)
    }

    pub(super) fn into_error(self, action: &'static str, repository: &str) -> RegistryError {
        RegistryError::Answered {
            action,
            host: self.host,
            repository: repository.to_owned(),
            status: self.status,
            code: self.code,
            message: self.message,
            blob: None,
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
        match self {
            Self::TooLarge(limit) => RegistryError::TooLarge {
                action,
                host: host.to_owned(),
                repository: repository.to_owned(),
                limit,
            },
            Self::Broken(error) => {
                RegistryError::unanswered(action, host, repository, no_answer(error))
            }
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
