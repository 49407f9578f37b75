//! Fetching from a channel: its index conditionally and bounded, its files as streams of exactly
//! the bytes that are stored, over http(s) or from a local folder (`file://`).
//!
//! Every request waits for the budget of its host; a host that asks for patience is parked for all
//! who share that budget. Nothing here checks hashes: who asks for a file knows what it must be.

mod error;
mod folder;
mod http;
mod index;
mod logins;
mod patience;
mod spool;
#[cfg(test)]
mod tests;
mod validator;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use mirror_runtime::host_budget::HostBudget;
use url::Url;

pub use error::SourceError;
pub use index::{FetchedIndex, IndexAnswer, IndexFile};
pub use logins::{SourceLogins, SourceLoginsError};

/// How to talk to channels.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Until a connection stands, TLS included.
    pub connect_timeout: Duration,
    /// The longest silence: before the answer and between any two bytes of it.
    pub read_timeout: Duration,
    /// The pause before the second try for an index; it doubles after that, with jitter.
    pub backoff: Duration,
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// Whether the proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`, …) are used.
    pub system_proxy: bool,
    /// PEM with authorities to believe besides the system's.
    pub ca_file: Option<PathBuf>,
    /// What private channels are shown.
    pub logins: SourceLogins,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            backoff: Duration::from_secs(1),
            user_agent: concat!("conda-oci/", env!("CARGO_PKG_VERSION")).to_owned(),
            system_proxy: true,
            ca_file: None,
            logins: SourceLogins::default(),
        }
    }
}

/// A file on its way.
pub struct Opened {
    /// Its size in bytes, if the channel says so before the body.
    pub len: Option<u64>,
    /// Its bytes. The stream ends with an error if fewer arrive than `len`; one that was opened
    /// without a `len` may have been cut off unnoticed, as only its hash can tell.
    pub bytes: BoxStream<'static, Result<Bytes, SourceError>>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = &self.len;
        f.debug_struct("Opened")
            .field("len", len)
            .finish_non_exhaustive()
    }
}

/// Fetches from channels. One for a whole process: it keeps connections open between requests.
#[derive(Debug)]
pub struct Fetcher {
    options: FetchOptions,
    budget: Arc<dyn HostBudget>,
    /// Made for the first http(s) address: it needs the system's certificates, folders do not.
    client: OnceLock<reqwest::Client>,
}

impl Fetcher {
    /// A fetcher whose http(s) requests all wait for `budget`.
    #[must_use]
    pub fn new(options: FetchOptions, budget: Arc<dyn HostBudget>) -> Self {
        Self {
            options,
            budget,
            client: OnceLock::new(),
        }
    }

    /// Opens one file of a channel, once: trying again is up to the caller, who knows what it has
    /// already done with the bytes.
    ///
    /// # Errors
    /// See [`SourceError`]; the stream gives the same kinds later.
    pub async fn open(&self, url: &Url) -> Result<Opened, SourceError> {
        if is_local(url)? {
            return Ok(folder::find(url).await?.open(url));
        }
        let response = self.get(url, None).await?;
        http::body(url, &self.options, response, None)
    }

    async fn get(
        &self,
        url: &Url,
        known: Option<&validator::Stamp>,
    ) -> Result<reqwest::Response, SourceError> {
        let client = self.client(url)?;
        http::get(client, &self.options, &*self.budget, url, known).await
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, SourceError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = http::client(&self.options).map_err(|problem| {
            SourceError::address(url, format!("no client for it can be set up: {problem}"))
        })?;
        // Of two made at once, the first stays.
        Ok(self.client.get_or_init(|| client))
    }
}

fn is_local(url: &Url) -> Result<bool, SourceError> {
    match url.scheme() {
        "file" => Ok(true),
        "http" | "https" => Ok(false),
        other => Err(SourceError::address(
            url,
            format!("`{other}` is none of http, https, file"),
        )),
    }
}
