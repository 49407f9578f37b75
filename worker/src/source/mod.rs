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
use mirror_oci::registry::{Credentials, RegistryAddress, Trust};
use mirror_runtime::HostBudget;
use url::Url;

pub use error::IndexError;
pub(crate) use mirror::Mirror;
use mirrors::Mirrors;
pub use mirrors::address_of;

use crate::error::TransferError;

/// Logins at mirrors that are read from. Each goes to its own host alone, and without TLS only where it was given for
/// that: whoever queues tasks must not choose it.
#[derive(Debug, Clone, Default)]
pub struct MirrorLogins(Vec<(RegistryAddress, Credentials)>);

impl MirrorLogins {
    /// Adds the login of a registry. The first of a host counts.
    #[must_use]
    pub fn with(mut self, registry: RegistryAddress, login: Option<Credentials>) -> Self {
        self.0.extend(login.map(|login| (registry, login)));
        self
    }

    /// The login at this registry.
    #[must_use]
    pub fn at(&self, registry: &RegistryAddress) -> Option<&Credentials> {
        let host = registry.host();
        let mut of_host = self.0.iter().filter(|(known, _)| known.host() == host);
        let is_plain = |address: &RegistryAddress| address.base.scheme() == "http";
        let found = of_host.find(|(known, _)| !is_plain(registry) || is_plain(known));
        found.map(|(_, login)| login)
    }
}

/// Everything that can be read from. One for a whole process.
#[derive(Debug)]
pub struct Sources {
    fetcher: Arc<Fetcher>,
    mirrors: Mirrors,
}

impl Sources {
    /// Sources whose requests all wait for `budget`. `trust` is of the mirrors; the fetcher has its own.
    #[must_use]
    pub fn new(
        fetcher: Arc<Fetcher>,
        logins: MirrorLogins,
        trust: Trust,
        budget: Arc<dyn HostBudget>,
    ) -> Self {
        Self {
            fetcher,
            mirrors: Mirrors::new(logins, trust, budget),
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
