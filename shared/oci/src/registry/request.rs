//! A request to the registry as the operations describe it, and the time it may take.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use mirror_runtime::RequestKind;
use reqwest::Method;
use url::Url;

use super::auth::Access;
use crate::body::{Body, Growing, LONGEST_WAIT};

/// A request without a body is given up after this; one with a body gets time for it besides.
const BASE_TIMEOUT: Duration = Duration::from_secs(60);
/// The slowest upload that is not given up, in bytes a second.
const SLOWEST_UPLOAD: u64 = 128 * 1024;
/// A file that still grows may keep its upload waiting: three times as long as whoever began it should have reckoned.
const GROWTH: Duration = LONGEST_WAIT.saturating_mul(3);

/// A request as the operations describe it.
pub(super) struct Request<'a> {
    pub action: &'static str,
    pub method: Method,
    pub url: Url,
    pub repository: &'a str,
    pub access: Access,
    /// Another repository that a blob is mounted from: the token must be good for reading it.
    pub mounts_from: Option<&'a str>,
    pub content_type: Option<&'static str>,
    pub body: Option<Content<'a>>,
    /// Which bytes of the whole a PATCH sends.
    pub content_range: Option<String>,
    /// The answer is as long as it is: only the wait for its beginning is limited here.
    pub streamed: bool,
}

/// What a request sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    /// Bytes that are all there.
    Whole(&'a Body),
    /// A file that still grows.
    Growing(&'a Growing),
}

impl Content<'_> {
    pub(super) fn len(self) -> u64 {
        match self {
            Self::Whole(body) => body.len(),
            Self::Growing(growing) => growing.len(),
        }
    }

    /// The file it is in, if it is in one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Whole(body) => body.path(),
            Self::Growing(growing) => Some(growing.path()),
        }
    }

    /// The bytes anew from the start.
    pub(super) async fn stream(self) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        match self {
            Self::Whole(body) => body.stream().await,
            Self::Growing(growing) => Ok(growing.stream().await?.boxed()),
        }
    }
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
            mounts_from: None,
            content_type: None,
            body: None,
            content_range: None,
            streamed: false,
        }
    }

    /// For a mount from this repository.
    pub(super) fn mounting(mut self, from: Option<&'a str>) -> Self {
        self.mounts_from = from;
        self
    }

    /// For answers of any length.
    pub(super) fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }

    pub(super) fn with_body(mut self, content_type: &'static str, body: Content<'a>) -> Self {
        self.content_type = Some(content_type);
        self.body = Some(body);
        self
    }

    /// Of a chunk: that it is `len` bytes from `at` on.
    pub(super) fn with_range(mut self, at: u64, len: u64) -> Self {
        self.content_range = Some(format!("{at}-{}", at + len - 1));
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
        let len = self.body.map_or(0, Content::len);
        let sending = Duration::from_secs(len / SLOWEST_UPLOAD);
        match self.body {
            Some(Content::Growing(_)) => sending + GROWTH,
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
        let time = |body: Content<'_>| {
            let url = Url::parse("http://localhost/v2/").unwrap();
            let request = Request::new("push", Method::PUT, url, "a", Access::Push);
            request.with_body("", body).timeout()
        };
        let (_growth, growing) = growing("file", 10 * SLOWEST_UPLOAD);
        let whole = time(Content::Whole(&Body::file("file", 10 * SLOWEST_UPLOAD)));
        assert_eq!(whole, BASE_TIMEOUT + Duration::from_secs(10));
        assert_eq!(time(Content::Growing(&growing)), whole + GROWTH);
    }
}
