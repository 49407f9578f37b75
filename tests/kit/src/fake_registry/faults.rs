//! Scripted faults: what real registries do rarely, on demand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answer::{Answer, Builder};
use super::hold::{HoldPoint, HoldState};
use super::route::Route;
use super::when::When;
use axum::http::StatusCode;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered so and not processed. Its body is read to the end first,
    /// so that the client sees the answer rather than a broken pipe.
    Answer(Response),
    /// The connection breaks after this many bytes of the body: of the
    /// request's for PUT, PATCH and POST (which is then not processed, also
    /// when its body is shorter), of the response's for GET.
    Cut {
        /// Bytes that still pass.
        after: u64,
    },
    /// It is processed, and then the connection breaks without an answer.
    CutAnswer,
    /// A blob's commit is answered 201, and the blob is not there.
    LoseBlob,
    /// The answer names this digest in `Docker-Content-Digest`.
    WrongDigest(String),
    /// A blob's commit is stored and answered 404 `BLOB_UPLOAD_UNKNOWN`, as
    /// ghcr.io does after a slow commit.
    CommitButUnknown,
    /// It waits this long before it is looked at.
    Delay(Duration),
    /// It waits at a point until the test goes on; made by
    /// [`hold`](super::FakeRegistry::hold) and its siblings.
    #[doc(hidden)]
    Hold(HoldPoint, Arc<HoldState>),
}

/// A scripted response.
#[derive(Clone, Debug)]
pub struct Response {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: String,
}

impl Fault {
    /// Answers a status with an empty body.
    ///
    /// # Panics
    /// If `status` is none.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::answer(status, &[], "")
    }

    /// Answers with status, headers and body.
    ///
    /// # Panics
    /// If `status` is none.
    #[must_use]
    pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self::Answer(Response {
            status: StatusCode::from_u16(status).expect("tests script real statuses"),
            headers: headers.iter().map(owned).collect(),
            body: body.to_owned(),
        })
    }

    /// Answers with a status and the specification's error body.
    ///
    /// # Panics
    /// If `status` is none.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]});
        Self::answer(
            status,
            &[("content-type", "application/json")],
            &body.to_string(),
        )
    }

    /// 429 with `Retry-After` in seconds.
    #[must_use]
    pub fn too_many_requests(retry_after_seconds: u64) -> Self {
        let seconds = retry_after_seconds.to_string();
        Self::answer(429, &[("retry-after", &seconds)], "")
    }

    /// 429 as ghcr.io says it: the delay, a Go duration such as `10.305464ms`,
    /// stands in the body alone (chainguard-images#173).
    #[must_use]
    pub fn ghcr_too_many_requests(go_duration: &str) -> Self {
        let message = format!("retry-after: {go_duration}, allowed: 2000/minute");
        Self::error(429, "TOOMANYREQUESTS", &message)
    }

    /// The 403 with which GitHub throttles (refchecker#67).
    #[must_use]
    pub fn secondary_rate_limit() -> Self {
        Self::answer(
            403,
            &[("content-type", "application/json")],
            r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#,
        )
    }

    /// 403 `DENIED`.
    #[must_use]
    pub fn denied() -> Self {
        Self::error(403, "DENIED", "requested access to the resource is denied")
    }

    /// Breaks the connection after `bytes` of the body.
    #[must_use]
    pub fn cut_after(bytes: u64) -> Self {
        Self::Cut { after: bytes }
    }

    /// Answers name a digest of zeros in `Docker-Content-Digest`.
    #[must_use]
    pub fn wrong_digest() -> Self {
        Self::WrongDigest(format!("sha256:{}", "0".repeat(64)))
    }
}

impl Response {
    pub(super) fn build(&self) -> Answer {
        let headers = self.headers.iter();
        headers
            .fold(Builder::new(self.status), |b, (name, value)| {
                b.header(name, value)
            })
            .body(self.body.clone())
    }
}

struct Rule {
    when: When,
    seen: u64,
    fault: Fault,
}

/// All rules, in the order in which they were added.
#[derive(Default)]
pub(super) struct Script {
    rules: Mutex<Vec<Rule>>,
}

impl Script {
    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, when: When, fault: Fault) {
        self.rules().push(Rule {
            when,
            seen: 0,
            fault,
        });
    }

    pub(super) fn clear(&self) {
        self.rules().clear();
    }

    /// The faults that meet this request, which is counted.
    pub(super) fn meet(&self, route: &Route) -> Faults {
        let mut faults = Faults::default();
        for rule in self.rules().iter_mut() {
            if !rule.when.describes(route) {
                continue;
            }
            rule.seen += 1;
            if rule.when.meets(rule.seen) {
                faults.0.push(rule.fault.clone());
            }
        }
        faults
    }
}

/// The faults of one request.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

/// What happens at a byte of a body.
#[derive(Clone)]
pub(super) enum Gate {
    Cut,
    Hold(Arc<HoldState>),
}

impl Faults {
    pub(super) async fn before(&self) {
        for fault in &self.0 {
            match fault {
                Fault::Delay(delay) => tokio::time::sleep(*delay).await,
                Fault::Hold(HoldPoint::Arrival, hold) => hold.wait().await,
                _ => {}
            }
        }
    }

    pub(super) fn answer(&self) -> Option<Answer> {
        self.0.iter().find_map(|fault| match fault {
            Fault::Answer(response) => Some(response.build()),
            _ => None,
        })
    }

    /// What happens at which byte of the body, in ascending order.
    pub(super) fn gates(&self) -> Vec<(u64, Gate)> {
        let gate = |fault: &Fault| match fault {
            Fault::Cut { after } => Some((*after, Gate::Cut)),
            Fault::Hold(HoldPoint::Body(after), hold) => {
                Some((*after, Gate::Hold(Arc::clone(hold))))
            }
            _ => None,
        };
        let mut gates: Vec<_> = self.0.iter().filter_map(gate).collect();
        gates.sort_by_key(|(at, _)| *at);
        gates
    }

    pub(super) fn lose_blob(&self) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::LoseBlob))
    }

    pub(super) fn commit_but_unknown(&self) -> bool {
        self.0
            .iter()
            .any(|fault| matches!(fault, Fault::CommitButUnknown))
    }

    pub(super) fn cuts_answer(&self) -> bool {
        self.0.iter().any(|fault| matches!(fault, Fault::CutAnswer))
    }

    pub(super) fn wrong_digest(&self) -> Option<&str> {
        self.0.iter().find_map(|fault| match fault {
            Fault::WrongDigest(digest) => Some(digest.as_str()),
            _ => None,
        })
    }

    pub(super) async fn before_answer(&self) {
        for fault in &self.0 {
            if let Fault::Hold(HoldPoint::Answer, hold) = fault {
                hold.wait().await;
            }
        }
    }
}
