//! The validator of an index: how to ask later whether it changed.
//!
//! To callers it is a text without meaning, kept beside the plan and handed back with the next
//! request. It knows which address and form it came from and is never used against another.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use rattler_digest::{Sha256, compute_bytes_digest};
use reqwest::header::{ETAG, HeaderMap, HeaderName, LAST_MODIFIED};
use serde::{Deserialize, Serialize};
use url::Url;

use super::index::Form;

/// What an index looked like when it was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validator {
    form: Form,
    /// sha256 of the address: channels share neither ETags nor dates, and the address may hold secrets.
    of: String,
    stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stamp {
    /// As the server sent them.
    Http {
        etag: Option<String>,
        last_modified: Option<String>,
    },
    /// Of the file itself. The change time catches a rewrite in place that sets the old
    /// modification time again, as `rsync --times --inplace` does.
    File {
        modified: (i64, i64),
        changed: (i64, i64),
        size: u64,
        inode: u64,
    },
}

impl Stamp {
    pub(super) fn of_answer(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        Self::Http {
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
        }
    }

    pub(super) fn of_file(metadata: &Metadata) -> Self {
        Self::File {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
            inode: metadata.ino(),
        }
    }
}

impl Validator {
    pub(super) fn new(form: Form, url: &Url, stamp: Stamp) -> Self {
        Self {
            form,
            of: address(url),
            stamp,
        }
    }

    /// The stamp, if this validator came from `url` in this form.
    pub(super) fn stamp_for(&self, form: Form, url: &Url) -> Option<&Stamp> {
        (self.form == form && self.of == address(url)).then_some(&self.stamp)
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always become JSON")
    }

    /// `None` for a text of another version of this program: then the index is fetched anew.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

fn address(url: &Url) -> String {
    hex::encode(compute_bytes_digest::<Sha256>(url.as_str()))
}
