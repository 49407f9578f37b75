//! The request log: what arrived, in which order, and how it was answered.
//! Tests count requests with it and check what happened before what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a request is for, decided from its method and path alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `GET /v2/`
    Ping,
    /// `GET /token`
    Token,
    /// `POST …/blobs/uploads/`, with `?digest=` too
    UploadPost,
    /// `POST …/blobs/uploads/?mount=`
    Mount,
    /// `PATCH` of an upload session
    UploadPatch,
    /// `PUT` of an upload session
    UploadPut,
    /// `GET` of an upload session
    UploadGet,
    /// `DELETE` of an upload session
    UploadDelete,
    /// `HEAD` of a blob
    BlobHead,
    /// `GET` of a blob
    BlobGet,
    /// `DELETE` of a blob
    BlobDelete,
    /// `HEAD` of a manifest
    ManifestHead,
    /// `GET` of a manifest
    ManifestGet,
    /// `PUT` of a manifest
    ManifestPut,
    /// `DELETE` of a manifest
    ManifestDelete,
    /// `GET …/tags/list`
    TagsList,
    /// Anything else, an unrepresentable repository name for instance
    Other,
}

impl Kind {
    /// Whether a registry's write limit would count this request.
    #[must_use]
    pub fn is_write(self) -> bool {
        matches!(
            self,
            Self::UploadPost
                | Self::Mount
                | Self::UploadPatch
                | Self::UploadPut
                | Self::UploadDelete
                | Self::BlobDelete
                | Self::ManifestPut
                | Self::ManifestDelete
        )
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Time order of the arrival: 1, 2, 3, … over arrivals and answers alike.
    pub arrived: u64,
    /// Time order of the answer; `None` while it is pending, and for ever when
    /// the connection broke before.
    pub answered: Option<u64>,
    /// `GET`, `PUT`, …
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The query as sent.
    pub query: Option<String>,
    /// What the request is for.
    pub kind: Kind,
    /// The repository, where the path names one.
    pub repository: Option<String>,
    /// Tag, digest or upload session, where the path names one.
    pub reference: Option<String>,
    /// The status answered; `None` like `answered`.
    pub status: Option<u16>,
    /// Bytes of the request's body that were read.
    pub received: u64,
    /// Bytes of the response's body that were handed to the connection.
    pub sent: u64,
    /// The request's `Content-Length`; `None` for a chunked body.
    pub content_length: Option<u64>,
    /// Whether the request carried an `Authorization` header.
    pub authorized: bool,
    /// The `Host` header.
    pub host: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = self
            .query
            .as_ref()
            .map_or(String::new(), |q| format!("?{q}"));
        let status = self.status.map_or("-".to_owned(), |s| s.to_string());
        write!(
            f,
            "{:>5} {} {}{query} → {status} (in {}, out {})",
            self.arrived, self.method, self.path, self.received, self.sent
        )
    }
}

#[derive(Default)]
struct Pages {
    clock: u64,
    /// Entries before this index were forgotten by `clear`.
    start: usize,
    entries: Vec<Entry>,
}

/// All requests since the start or the last [`clear`](Self::clear).
#[derive(Default)]
pub struct RequestLog {
    pages: Mutex<Pages>,
}

/// Where an entry stands, for the server to complete it.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryId(usize);

impl RequestLog {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn arrive(&self, mut entry: Entry) -> EntryId {
        let mut pages = self.pages();
        pages.clock += 1;
        entry.arrived = pages.clock;
        pages.entries.push(entry);
        EntryId(pages.entries.len() - 1)
    }

    pub(super) fn received(&self, id: EntryId, bytes: u64) {
        self.pages().entries[id.0].received += bytes;
    }

    pub(super) fn sent(&self, id: EntryId, bytes: u64) {
        self.pages().entries[id.0].sent += bytes;
    }

    pub(super) fn answer(&self, id: EntryId, status: u16) {
        let mut pages = self.pages();
        pages.clock += 1;
        let clock = pages.clock;
        let entry = &mut pages.entries[id.0];
        entry.status = Some(status);
        entry.answered = Some(clock);
    }

    /// All requests in the order of their arrival.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let pages = self.pages();
        pages.entries[pages.start..].to_vec()
    }

    /// The requests for which `wanted` holds, in the order of their arrival.
    #[must_use]
    pub fn select(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let pages = self.pages();
        let recent = pages.entries[pages.start..].iter();
        recent.filter(|entry| wanted(entry)).cloned().collect()
    }

    fn count_where(&self, wanted: impl Fn(&Entry) -> bool) -> usize {
        let pages = self.pages();
        let recent = pages.entries[pages.start..].iter();
        recent.filter(|entry| wanted(entry)).count()
    }

    /// Number of requests, token requests included.
    #[must_use]
    pub fn total(&self) -> usize {
        self.count_where(|_| true)
    }

    /// Number of requests of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.count_where(|entry| entry.kind == kind)
    }

    /// Number of requests of a kind to one repository.
    #[must_use]
    pub fn count_in(&self, repository: &str, kind: Kind) -> usize {
        self.count_where(|e| e.kind == kind && e.repository.as_deref() == Some(repository))
    }

    /// Number of requests to one repository.
    #[must_use]
    pub fn total_in(&self, repository: &str) -> usize {
        self.count_where(|e| e.repository.as_deref() == Some(repository))
    }

    /// Number of requests that a write limit would count.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.count_where(|entry| entry.kind.is_write())
    }

    /// Number of requests by kind and repository (empty where there is none).
    #[must_use]
    pub fn counters(&self) -> BTreeMap<(Kind, String), usize> {
        let mut counters = BTreeMap::new();
        for entry in self.entries() {
            let key = (entry.kind, entry.repository.unwrap_or_default());
            *counters.entry(key).or_default() += 1;
        }
        counters
    }

    /// The log as text, one line a request, for the message of a failed
    /// assertion.
    #[must_use]
    pub fn to_text(&self) -> String {
        let lines = self.entries().into_iter().map(|entry| entry.to_string());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Forgets what was logged so far. The time order goes on.
    pub fn clear(&self) {
        let mut pages = self.pages();
        pages.start = pages.entries.len();
    }
}
