//! What can go wrong at a registry, and what is done about it.

use std::path::PathBuf;
use std::time::SystemTime;

use mirror_runtime::{Disposed, Disposition};
use reqwest::StatusCode;

use super::blobs::UPLOAD;
use super::reach::{NoAnswer, Reach};
use super::remedy::remedy;
use crate::digest::Digest;
use crate::local::remedy as local_remedy;
use crate::manifest::NotAManifest;

/// A failed exchange with a registry. The text names what was tried, where, and what came back.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No answer: refused, reset, timed out, broken off.
    #[error("{action} at {host}/{repository}: {cause}{}", reach.remedy())]
    Unreachable {
        /// What was tried.
        action: &'static str,
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
        /// How far the request came.
        reach: Reach,
        /// The chain of causes, without URLs.
        cause: String,
    },
    /// No answer from another host, to which the registry sent the request on.
    #[error("{action} at {host}/{repository}, which sent the request on to {led_to}: {cause}{}", reach.remedy_elsewhere())]
    Elsewhere {
        /// What was tried.
        action: &'static str,
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
        /// `host[:port]` that was asked in the end.
        led_to: String,
        /// How far the request came.
        reach: Reach,
        /// The chain of causes, without URLs.
        cause: String,
    },
    /// An answer that is not the one asked for.
    #[error(
        "{action} at {host}/{repository}: answered {status}{}{}{}",
        answer(code, message),
        sent(blob),
        remedy(action, repository, *status, code, message)
    )]
    Answered {
        /// What was tried.
        action: &'static str,
        /// Who answered: the registry, or a host to which it sent the request on.
        host: String,
        /// The repository, without host.
        repository: String,
        /// HTTP status.
        status: StatusCode,
        /// The distribution spec's error code, if the body has one (`DENIED`, `BLOB_UNKNOWN`, …).
        code: String,
        /// The registry's own words, cut at 300 characters.
        message: String,
        /// The blob that was sent and its size in bytes, if it was one.
        blob: Option<Box<(Digest, u64)>>,
    },
    /// The registry asked for patience longer or more often than one request waits.
    #[error("{action} at {host}: the registry asks for patience{}", answer(&String::new(), message))]
    Throttled {
        /// What was tried.
        action: &'static str,
        /// The registry.
        host: String,
        /// When it may be asked again.
        until: SystemTime,
        /// The registry's own words.
        message: String,
    },
    /// The registry wants a login and none was given.
    #[error(
        "{host} wants a login for {repository}; set ORAS_USER and ORAS_PASS, or log in with `docker login {host}`"
    )]
    LoginNeeded {
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
    },
    /// An answer that breaks the distribution spec.
    #[error("{action} at {host}/{repository}: {problem}")]
    Protocol {
        /// What was tried.
        action: &'static str,
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// An answer larger than is read.
    #[error("{action} at {host}/{repository}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was tried.
        action: &'static str,
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
        /// How much is read, in bytes.
        limit: usize,
    },
    /// A manifest that is none of ours, nor readable as one.
    #[error("manifest {host}/{repository}:{reference}: {source}")]
    Manifest {
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
        /// Tag or digest.
        reference: String,
        /// What is wrong.
        source: NotAManifest,
    },
    /// A file on this machine could not be read.
    #[error("cannot {action} `{}`: {error}; {}", path.display(), local_remedy(error))]
    Local {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The operating system's answer.
        error: std::io::Error,
    },
    /// This process has as many files and connections open as it may.
    #[error(
        "{action} at {host}/{repository}: too many files and connections are open; raise the limit (`ulimit -n`) or use fewer --workers"
    )]
    OutOfDescriptors {
        /// What was tried.
        action: &'static str,
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
    },
}

impl RegistryError {
    /// Whether the registry says that a manifest names a blob it does not have.
    #[must_use]
    pub fn is_blob_unknown(&self) -> bool {
        matches!(self, Self::Answered { code, .. } if code == "MANIFEST_BLOB_UNKNOWN" || code == "BLOB_UNKNOWN")
    }

    /// Whether there was not even a connection to the registry, or to where it gives tokens out: nothing listens
    /// there, the name leads nowhere, or its certificate is not trusted. A connection that broke is none of these.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { reach, .. } if reach.is_unreachable())
    }

    /// The host to which there was not even a connection: the registry, or one to which it sent the request on.
    #[must_use]
    pub fn unreached_host(&self) -> Option<&str> {
        match self {
            Self::Unreachable { host, reach, .. } if reach.is_unreachable() => Some(host),
            Self::Elsewhere { led_to, reach, .. } if reach.is_unreachable() => Some(led_to),
            _ => None,
        }
    }

    /// The error of a request that got no whole answer.
    pub(super) fn unanswered(
        action: &'static str,
        host: &str,
        repository: &str,
        why: NoAnswer,
    ) -> Self {
        let (host, repository) = (host.to_owned(), repository.to_owned());
        match why {
            NoAnswer::OutOfDescriptors => Self::OutOfDescriptors {
                action,
                host,
                repository,
            },
            NoAnswer::Calm(cause) => Self::Unreachable {
                action,
                host,
                repository,
                reach: Reach::BrokeOff,
                cause,
            },
            NoAnswer::At(reach, cause) => Self::Unreachable {
                action,
                host,
                repository,
                reach,
                cause,
            },
        }
    }

    /// The same, of a request that the registry sent on to `led_to`.
    pub(super) fn elsewhere(self, led_to: String) -> Self {
        match self {
            Self::Unreachable {
                action,
                host,
                repository,
                reach,
                cause,
            } => Self::Elsewhere {
                action,
                host,
                repository,
                led_to,
                reach,
                cause,
            },
            other => other,
        }
    }

    /// The same, naming the blob that was sent.
    pub(super) fn about_blob(mut self, digest: &Digest, len: u64) -> Self {
        if let Self::Answered { blob, .. } = &mut self {
            *blob = Some(Box::new((*digest, len)));
        }
        self
    }
}

impl Disposed for RegistryError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Unreachable { .. } | Self::Elsewhere { .. } | Self::Protocol { .. } => {
                Disposition::Retry
            }
            Self::Throttled { until, .. } => Disposition::Throttled { until: *until },
            Self::LoginNeeded { .. } => Disposition::Denied,
            Self::Manifest { .. } | Self::TooLarge { .. } => Disposition::Permanent,
            Self::Local { .. } | Self::OutOfDescriptors { .. } => Disposition::Local,
            Self::Answered {
                action,
                status,
                code,
                ..
            } => match status.as_u16() {
                401 | 403 => Disposition::Denied,
                413 => Disposition::Permanent,
                // A session that is gone, with or without the spec's words for it.
                404 if *action == UPLOAD && code.is_empty() => Disposition::Retry,
                // An upload session that is gone or whose bytes went astray, a blob not yet
                // visible: a new session may do.
                _ if matches!(
                    code.as_str(),
                    "BLOB_UPLOAD_UNKNOWN"
                        | "BLOB_UPLOAD_INVALID"
                        | "DIGEST_INVALID"
                        | "SIZE_INVALID"
                        | "MANIFEST_BLOB_UNKNOWN"
                        | "BLOB_UNKNOWN"
                ) =>
                {
                    Disposition::Retry
                }
                408 | 409 | 416 | 425 | 500..=599 => Disposition::Retry,
                _ => Disposition::Permanent,
            },
        }
    }
}

fn sent(blob: &Option<Box<(Digest, u64)>>) -> String {
    match blob.as_deref() {
        Some((digest, len)) => format!("; sent was {digest} of {len} bytes"),
        None => String::new(),
    }
}

fn answer(code: &String, message: &String) -> String {
    match (code.is_empty(), message.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!(": {message}"),
        (false, true) => format!(" {code}"),
        (false, false) => format!(" {code}: {message}"),
    }
}
