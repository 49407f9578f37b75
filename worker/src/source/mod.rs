//! Where indexes and packages come from, told by the scheme of the address: a channel (http, https, file), or what a
//! mirror holds of one (`oci`, `oci+http`, `oci+file`).

mod error;
mod mirror;
mod mirrors;

use std::path::Path;
use std::sync::Arc;

use mirror_channel::repodata::Limits;
use mirror_channel::source::{Fetcher, IndexAnswer, IndexFile, Opened, SourceError};
use mirror_oci::package::Wanted;
use mirror_oci::registry::Credentials;
use mirror_runtime::HostBudget;
use url::Url;

pub use error::IndexError;
pub(crate) use mirror::Mirror;
use mirrors::Mirrors;

use crate::error::TransferError;

/// Logins at registries that are read from. Each goes to its own host alone.
#[derive(Debug, Clone, Default)]
pub struct Logins(Vec<(String, Credentials)>);

impl Logins {
    /// Adds the login of a registry, `host[:port]`. The first of a host counts.
    #[must_use]
    pub fn with(mut self, host: String, login: Option<Credentials>) -> Self {
        self.0.extend(login.map(|login| (host, login)));
        self
    }

    /// The login at this `host[:port]`.
    #[must_use]
    pub fn at(&self, host: &str) -> Option<&Credentials> {
        let mut logins = self.0.iter();
        logins
            .find(|(known, _)| known == host)
            .map(|(_, login)| login)
    }
}

/// Everything that can be read from. One for a whole process.
#[derive(Debug)]
pub struct Sources {
    fetcher: Arc<Fetcher>,
    mirrors: Mirrors,
}

impl Sources {
    /// Sources whose requests all wait for `budget`.
    #[must_use]
    pub fn new(fetcher: Arc<Fetcher>, logins: Logins, budget: Arc<dyn HostBudget>) -> Self {
        Self {
            fetcher,
            mirrors: Mirrors::new(logins, budget),
        }
    }

    /// Fetches an index of the subdir at `subdir` into a temporary file in `dir`, unless it still is what `condition`
    /// (the `validator` of an earlier answer) tells.
    ///
    /// # Errors
    /// When it cannot be had, or is larger unpacked than `limits` allow.
    pub async fn index(
        &self,
        subdir: &Url,
        which: IndexFile,
        condition: Option<&str>,
        dir: &Path,
        limits: &Limits,
    ) -> Result<IndexAnswer, IndexError> {
        let Some(mirror) = self.mirror(subdir)? else {
            let asked = self.fetcher.index(subdir, which, condition, dir, limits);
            return Ok(asked.await?);
        };
        match which {
            IndexFile::Current => mirror.index(condition, dir, limits).await,
            // A mirror has one index.
            IndexFile::FromPackages => Ok(IndexAnswer::Missing),
        }
    }

    /// Opens the package at `url`, once. Its bytes are unverified.
    pub(crate) async fn open(&self, url: &Url, wanted: &Wanted) -> Result<Opened, TransferError> {
        let subdir = url
            .join(".")
            .map_err(|_| address(url, "it has no folder"))?;
        match self.mirror(&subdir)? {
            None => Ok(self.fetcher.open(url).await?),
            Some(mirror) => mirror.open(url, wanted).await,
        }
    }

    /// The mirror that has this subdir; `None` where it is a channel's.
    pub(crate) fn mirror(&self, subdir: &Url) -> Result<Option<Mirror>, SourceError> {
        match subdir.scheme() {
            "http" | "https" | "file" => Ok(None),
            _ => self.mirrors.of(subdir).map(Some),
        }
    }
}

fn address(url: &Url, why: impl Into<String>) -> SourceError {
    SourceError::Address {
        url: mirror_runtime::redact::url(url),
        why: why.into(),
    }
}
