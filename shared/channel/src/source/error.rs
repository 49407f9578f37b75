//! What can go wrong between us and a channel, and what is to be done about each.
//!
//! Every text names the (redacted) address, what came back, and what to do. Nobody needs to look
//! at a status code further up: the [`Disposition`] is decided here.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mirror_runtime::disposition::{Disposed, Disposition};
use mirror_runtime::local::{plain, remedy};
use mirror_runtime::{clock, redact};
use url::Url;

/// A request to a channel that did not end well. All addresses in it are redacted.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No connection: name not found, refused, TLS, or the connect timeout.
    #[error(
        "cannot connect for {url}: {why}; check the address, the network and the proxy settings"
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The cause as the network library tells it.
        why: String,
    },
    /// Connected, and then no byte for the whole read timeout.
    #[error(
        "{url} sent no byte for {seconds} s, so the transfer was given up; it can be tried again, and --read-timeout sets how long to wait"
    )]
    Stalled {
        /// What was asked for.
        url: String,
        /// The read timeout.
        seconds: f32,
    },
    /// The connection broke, or the body ended before its length.
    #[error("the transfer of {url} broke off: {why}; it can be tried again")]
    Interrupted {
        /// What was asked for.
        url: String,
        /// The cause, with byte counts where they are known.
        why: String,
    },
    /// A 5xx answer, 408 or 425.
    #[error("{url} answered {status}: the server has trouble; it can be tried again")]
    Server {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// 429, or 503 with a time: the host is parked until then.
    #[error("{host} asks for patience (status {status} for {url}); its requests wait {} s", clock::until(*until).as_secs())]
    Throttled {
        /// What was asked for.
        url: String,
        /// The host whose requests wait, `name[:port]`.
        host: String,
        /// The HTTP status.
        status: u16,
        /// When requests may go on.
        until: SystemTime,
    },
    /// 404, 410, or no such file in the folder. Index and files of a channel can be hours apart,
    /// so the caller asks twice before it believes this.
    #[error(
        "{url} does not exist there; if it should, the channel's index and files may be apart for a while"
    )]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// 401, 403, or 407 of a proxy.
    #[error("{url} answered {status}: access denied; check the channel's address and credentials")]
    Denied {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Any other answer than the one that was asked for.
    #[error(
        "{url} answered {status}, which is no answer to this request; check the channel's address"
    )]
    Unexpected {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// More than ten redirects, a loop of them, or one that leads away from http(s).
    #[error(
        "the redirects of {url} lead nowhere ({why}); use the address they were meant to lead to"
    )]
    Redirects {
        /// What was asked for.
        url: String,
        /// What is wrong with them.
        why: String,
    },
    /// The answer is wrapped in a content encoding, so its bytes are not the file's bytes.
    #[error(
        "{url} came with Content-Encoding `{encoding}` though `identity` was asked for: its bytes are not the file's; turn compression off at that server or proxy"
    )]
    ContentEncoding {
        /// What was asked for.
        url: String,
        /// The encoding named by the answer.
        encoding: String,
    },
    /// A complete answer that is no repodata.
    #[error(
        "{url} is no repodata: it {saw}; check that the address is a conda channel and needs no login page"
    )]
    NotAnIndex {
        /// What was asked for.
        url: String,
        /// What the answer looks like.
        saw: &'static str,
    },
    /// Compressed data that does not decompress, or a document cut off at its end.
    #[error("{url} is damaged: {why}; it can be tried again")]
    Damaged {
        /// What was asked for.
        url: String,
        /// What was noticed.
        why: String,
    },
    /// The document is larger than the limit.
    #[error(
        "{url} is larger than {limit} bytes unpacked, the limit for an index, and many times the largest there is; check that the address is a conda channel"
    )]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The address cannot be fetched from.
    #[error("{url} cannot be fetched: {why}")]
    Address {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// This process has as many files and connections open as it may.
    #[error(
        "{url}: too many files and connections are open; raise the limit of open files (`ulimit -n`) or use fewer --workers"
    )]
    OutOfDescriptors {
        /// What was asked for.
        url: String,
    },
    /// A file operation on this machine failed.
    #[error("cannot {action} {}: {error}; {}", path.display(), remedy(error))]
    Local {
        /// A verb: `read`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

impl SourceError {
    pub(super) fn not_found(url: &Url) -> Self {
        Self::NotFound {
            url: redact::url(url),
        }
    }

    pub(super) fn address(url: &Url, why: impl Into<String>) -> Self {
        Self::Address {
            url: redact::url(url),
            why: why.into(),
        }
    }

    pub(super) fn interrupted(url: &Url, why: impl Into<String>) -> Self {
        Self::Interrupted {
            url: redact::url(url),
            why: why.into(),
        }
    }

    pub(super) fn local(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Local {
            action,
            path: path.to_owned(),
            error: plain(error),
        }
    }
}

impl Disposed for SourceError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Unreachable { .. }
            | Self::Stalled { .. }
            | Self::Interrupted { .. }
            | Self::Server { .. }
            | Self::NotFound { .. }
            | Self::Damaged { .. } => Disposition::Retry,
            Self::Throttled { until, .. } => Disposition::Throttled { until: *until },
            Self::Denied { .. } => Disposition::Denied,
            Self::Unexpected { .. }
            | Self::Redirects { .. }
            | Self::ContentEncoding { .. }
            | Self::NotAnIndex { .. }
            | Self::TooLarge { .. }
            | Self::Address { .. } => Disposition::Permanent,
            Self::OutOfDescriptors { .. } | Self::Local { .. } => Disposition::Local,
        }
    }
}
