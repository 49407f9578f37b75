//! Blobs in one request: a POST with the digest and the bytes, which some registries take and others answer with an upload
//! session (the distribution specification allows both). The first small blob finds out, for all that follow.
//!
//! The probe is a blob that is wanted anyway, and the session that may come instead is used for it: nothing is left behind,
//! and no request is made for nothing.

use std::sync::atomic::{AtomicU8, Ordering};

use mirror_runtime::Disposed as _;
use reqwest::{Method, StatusCode};

use super::Registry;
use super::auth::Access;
use super::blobs::{OCTETS, START, Session};
use super::error::RegistryError;
use super::request::{Content, Request};
use crate::body::Body;
use crate::digest::Digest;

/// Largest blob that is sent so, in bytes. A larger one is worth the request more: it meets a lapsed login, or a registry
/// that asks for patience, before its bytes are sent.
const LARGEST: u64 = 16 << 20;

const UNKNOWN: u8 = 0;
const PROBING: u8 = 1;
const TAKEN: u8 = 2;
const IGNORED: u8 = 3;

/// Whether the registry takes a blob in one POST.
#[derive(Debug, Default)]
pub(super) struct SinglePosts(AtomicU8);

/// A blob that goes in one POST, to find out or because it is known to work.
pub(super) struct Way<'a> {
    known: &'a SinglePosts,
    probes: bool,
}

impl SinglePosts {
    /// Whether `body` goes in one POST. While one probes, the others go the way that always works.
    pub(super) fn way(&self, body: &Body) -> Option<Way<'_>> {
        let small = matches!(body, Body::Memory(_));
        let turn = || {
            let (order, failed) = (Ordering::AcqRel, Ordering::Acquire);
            let probing = self.0.compare_exchange(UNKNOWN, PROBING, order, failed);
            probing.is_ok()
        };
        let probes = match self.0.load(Ordering::Acquire) {
            TAKEN if body.len() <= LARGEST => false,
            UNKNOWN if small && turn() => true,
            _ => return None,
        };
        Some(Way {
            known: self,
            probes,
        })
    }
}

impl Way<'_> {
    fn learn(&self, state: u8) {
        if self.probes {
            self.known.0.store(state, Ordering::Release);
        }
    }
}

impl Drop for Way<'_> {
    /// A probe that was dropped on its way found nothing out.
    fn drop(&mut self) {
        if self.probes {
            let (order, failed) = (Ordering::AcqRel, Ordering::Relaxed);
            let _ = self
                .known
                .0
                .compare_exchange(PROBING, UNKNOWN, order, failed);
        }
    }
}

impl Registry {
    /// Sends a blob in one POST. What comes of it is done, or a session to send it to.
    pub(super) async fn post_whole(
        &self,
        repository: &str,
        digest: &Digest,
        body: &Body,
        way: Way<'_>,
    ) -> Result<Session, RegistryError> {
        let mut url = self.url(&format!("{repository}/blobs/uploads/"));
        url.query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        let request = Request::new(START, Method::POST, url, repository, Access::Push)
            .with_body(OCTETS, Content::Whole(body));
        let failed = match self.send(request).await {
            Ok(response) => match response.status() {
                StatusCode::CREATED => {
                    way.learn(TAKEN);
                    return Ok(Session::Done);
                }
                StatusCode::ACCEPTED => {
                    way.learn(IGNORED);
                    return Ok(Session::At(self.location(START, repository, &response)?));
                }
                _ => self.answered(START, repository, response).await,
            },
            Err(error) => error,
        };
        let unsupported = is_unsupported(&failed);
        // What passes by itself may be tried again in the way that always works: some proxies break such connections.
        if unsupported || failed.is_transient() {
            way.learn(IGNORED);
        }
        if way.probes && unsupported {
            tracing::debug!(repository, error = %failed, "blobs are sent in two requests");
            return self.start_upload(repository, None).await;
        }
        Err(failed.about_blob(digest, body.len()))
    }
}

/// Whether the answer is about this way of sending, not about the blob, its repository or the login.
fn is_unsupported(error: &RegistryError) -> bool {
    let RegistryError::Answered { status, code, .. } = error else {
        return false;
    };
    match status.as_u16() {
        405 | 411 | 415 | 416 | 501 => true,
        400 => code != "NAME_INVALID",
        _ => false,
    }
}
