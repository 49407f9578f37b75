//! What the registry answers: responses, and refusals in the error form of the
//! distribution specification (`{"errors":[{"code","message","detail"}]}`).

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;

/// A response on its way to the client.
pub(super) type Answer = Response<Body>;

/// Why a handler gave no ordinary answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The client gets this error response.
    Answer(Box<Answer>),
    /// The connection is broken without a response.
    Cut,
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// An error response with one of the specification's error codes.
pub(super) fn error(status: StatusCode, code: &str, detail: impl std::fmt::Display) -> Answer {
    let body = json!({"errors": [{
        "code": code,
        "message": code.to_ascii_lowercase().replace('_', " "),
        "detail": detail.to_string(),
    }]});
    Builder::new(status)
        .header("content-type", "application/json")
        .body(body.to_string())
}

/// The 404 of a router that knows no such path.
pub(super) fn no_such_page() -> Answer {
    Builder::new(StatusCode::NOT_FOUND)
        .header("content-type", "text/plain; charset=utf-8")
        .body("404 page not found\n")
}

/// Builds a response whose parts are known to be valid.
pub(super) struct Builder(Answer);

impl Builder {
    pub(super) fn new(status: StatusCode) -> Self {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = status;
        answer.headers_mut().insert(
            HeaderName::from_static("docker-distribution-api-version"),
            HeaderValue::from_static("registry/2.0"),
        );
        Self(answer)
    }

    /// Sets a header.
    ///
    /// # Panics
    /// If a test scripted a name or value that HTTP cannot carry.
    pub(super) fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let name = HeaderName::try_from(name).expect("scripted header names are valid");
        let value = HeaderValue::from_str(value.as_ref()).expect("header values are visible ASCII");
        self.0.headers_mut().insert(name, value);
        self
    }

    pub(super) fn body(mut self, body: impl Into<Body>) -> Answer {
        *self.0.body_mut() = body.into();
        self.0
    }

    pub(super) fn empty(self) -> Answer {
        self.header(header::CONTENT_LENGTH.as_str(), "0").0
    }

    /// For HEAD: the headers of a body of `len` bytes that is not sent.
    pub(super) fn head_of(self, len: u64) -> Answer {
        self.header(header::CONTENT_LENGTH.as_str(), len.to_string())
            .0
    }
}
