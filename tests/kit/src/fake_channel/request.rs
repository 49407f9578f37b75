//! The log of requests.

use std::sync::Mutex;

use axum::http::{HeaderMap, Method, StatusCode};

use super::{Fault, lock};

/// One request and what became of it. A snapshot: an answer under way goes on after it was taken.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `HEAD`, ….
    pub method: String,
    /// The path on the server, percent-decoded, with its leading slash.
    pub path: String,
    /// The query, as it was sent.
    pub query: Option<String>,
    /// The status of the answer; nothing while it is not decided.
    pub status: Option<u16>,
    /// Bytes of the body handed to the connection so far.
    pub bytes: u64,
    /// The fault it met.
    pub fault: Option<Fault>,
    headers: HeaderMap,
}

impl Request {
    /// A header of the request.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A request's place in the log. It outlives the log's entries: after a clear, it writes nowhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    generation: u64,
    index: usize,
}

#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    generation: u64,
    requests: Vec<Request>,
}

impl Log {
    pub(super) fn open(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
    ) -> Entry {
        let mut entries = lock(&self.0);
        entries.requests.push(Request {
            method: method.to_string(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            status: None,
            bytes: 0,
            fault: None,
            headers,
        });
        Entry {
            generation: entries.generation,
            index: entries.requests.len() - 1,
        }
    }

    pub(super) fn faulted(&self, entry: Entry, fault: &Fault) {
        self.update(entry, |request| request.fault = Some(fault.clone()));
    }

    pub(super) fn answered(&self, entry: Entry, status: StatusCode) {
        self.update(entry, |request| request.status = Some(status.as_u16()));
    }

    pub(super) fn sent(&self, entry: Entry, bytes: u64) {
        self.update(entry, |request| request.bytes += bytes);
    }

    pub(super) fn snapshot(&self) -> Vec<Request> {
        lock(&self.0).requests.clone()
    }

    pub(super) fn clear(&self) {
        let mut entries = lock(&self.0);
        entries.generation += 1;
        entries.requests.clear();
    }

    fn update(&self, entry: Entry, change: impl FnOnce(&mut Request)) {
        let mut entries = lock(&self.0);
        if entries.generation == entry.generation {
            change(&mut entries.requests[entry.index]);
        }
    }
}
