//! A request to the registry as the operations describe it, and the time it may take.

use std::time::Duration;

use mirror_runtime::RequestKind;
use reqwest::Method;
use url::Url;

use super::auth::Access;
use crate::body::Body;

/// A request without a body is given up after this; one with a body gets time for it besides.
const BASE_TIMEOUT: Duration = Duration::from_secs(60);
/// The slowest upload that is not given up, in bytes a second.
const SLOWEST_UPLOAD: u64 = 128 * 1024;
/// A body that still grows may have to wait for its end: three times the longest time for which an upload is begun early.
const GROWTH: Duration = Duration::from_secs(60);

/// A request as the operations describe it.
pub(super) struct Request<'a> {
    pub action: &'static str,
    pub method: Method,
    pub url: Url,
    pub repository: &'a str,
    pub access: Access,
    pub content_type: Option<&'static str>,
    pub body: Option<&'a Body>,
    /// The answer is as long as it is: only the wait for its beginning is limited here.
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

    pub(super) fn kind(&self) -> RequestKind {
        match self.method {
            Method::GET | Method::HEAD => RequestKind::Read,
            _ => RequestKind::Write,
        }
    }

    /// How long the whole exchange may take.
    pub(super) fn timeout(&self) -> Duration {
        BASE_TIMEOUT + self.upload_time()
    }

    /// How much of [`Request::timeout`] is for sending the body.
    pub(super) fn upload_time(&self) -> Duration {
        let len = self.body.map_or(0, Body::len);
        let sending = Duration::from_secs(len / SLOWEST_UPLOAD);
        match self.body {
            Some(Body::Growing(_)) => sending + GROWTH,
            _ => sending,
        }
    }
}

/// `host[:port]`, the key of budgets.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::body::growing;

    #[test]
    fn a_body_that_still_grows_is_given_time_for_its_end() {
        let time = |body: &Body| {
            let url = Url::parse("http://localhost/v2/").unwrap();
            let request = Request::new("push", Method::PUT, url, "a", Access::Push);
            request.with_body("", body).timeout()
        };
        let (_growth, growing) = growing("file", 10 * SLOWEST_UPLOAD);
        let whole = time(&Body::file("file", 10 * SLOWEST_UPLOAD));
        assert_eq!(whole, BASE_TIMEOUT + Duration::from_secs(10));
        assert_eq!(time(&Body::Growing(growing)), whole + GROWTH);
    }
}
