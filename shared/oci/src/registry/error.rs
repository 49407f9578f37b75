//! What can go wrong at a registry, and what is done about it.

use std::time::SystemTime;

use mirror_runtime::{Disposed, Disposition};
use reqwest::StatusCode;

use super::blobs::UPLOAD;
use crate::manifest::NotAManifest;

/// A failed exchange with a registry. The text names what was tried, where, and what came back.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No answer: refused, reset, timed out, broken off.
    #[error("{action} at {host}/{repository}: {cause}")]
    Unreachable {
        /// What was tried.
        action: &'static str,
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
        /// The chain of causes, without URLs.
        cause: String,
    },
    /// An answer that is not the one asked for.
    #[error(
        "{action} at {host}/{repository}: answered {status}{}{}",
        answer(code, message),
        remedy(*status)
    )]
    Answered {
        /// What was tried.
        action: &'static str,
        /// The registry.
        host: String,
        /// The repository, without host.
        repository: String,
        /// HTTP status.
        status: StatusCode,
        /// The distribution spec's error code, if the body has one (`DENIED`, `BLOB_UNKNOWN`, …).
        code: String,
        /// The registry's own words, cut at 300 characters.
        message: String,
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
    #[error("{host} wants a login for {repository}; set ORAS_USER and ORAS_PASS")]
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
    /// A file on this machine could not be read or written.
    #[error("{action}: {source}")]
    Local {
        /// What was tried.
        action: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

impl RegistryError {
    /// Whether the registry says that a manifest names a blob it does not have.
    #[must_use]
    pub fn is_blob_unknown(&self) -> bool {
        matches!(self, Self::Answered { code, .. } if code == "MANIFEST_BLOB_UNKNOWN" || code == "BLOB_UNKNOWN")
    }
}

impl Disposed for RegistryError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Unreachable { .. } | Self::Protocol { .. } => Disposition::Retry,
            Self::Throttled { until, .. } => Disposition::Throttled { until: *until },
            Self::LoginNeeded { .. } => Disposition::Denied,
            Self::Manifest { .. } | Self::TooLarge { .. } => Disposition::Permanent,
            Self::Local { .. } => Disposition::Local,
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

/// The error a reqwest failure is, with its chain of causes and without URLs (upload sessions and
/// signed downloads carry secrets there).
pub(super) fn causes(error: reqwest::Error) -> String {
    let connecting = error.is_connect();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    if text.contains("InvalidContentType") {
        text.push_str("; it seems to speak plain http: write http:// before its address");
    } else if connecting {
        text.push_str("; check the address, and that the registry runs");
    }
    text
}

fn remedy(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "; check ORAS_USER and ORAS_PASS",
        StatusCode::FORBIDDEN => "; check whether ORAS_USER may push there",
        _ => "",
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
