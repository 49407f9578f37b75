//! A thin client of OCI registries that spends as few requests as pushing needs.
//!
//! Every request waits for the host's budget; a plea for patience parks the host; a 401 is
//! answered once; transient failures are tried a few times. What is left is an error with one
//! disposition.

mod address;
mod answer;
mod auth;
mod auth_files;
mod blobs;
mod challenge;
mod chunks;
mod config;
mod environment;
mod error;
mod growing;
mod hops;
#[cfg(feature = "hostile")]
pub mod hostile;
mod logins;
mod manifests;
mod reach;
mod remedy;
mod request;
mod send;
mod single;
mod throttle;
mod trust;

pub use address::{Address, AddressError, RegistryAddress};
pub use auth::Credentials;
pub(crate) use blobs::few_tries;
pub use environment::LoginError;
pub use error::RegistryError;
pub use logins::Logins;
pub use reach::Reach;
pub use trust::{SetupError, Trust};

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use mirror_runtime::HostBudget;
use reqwest::Response;
use url::Url;

/// Writes a minute that a vendor is known to allow: ghcr.io answers a faster pusher
/// `allowed: 2000/minute`.
#[must_use]
pub fn known_write_rate(host: &str) -> Option<NonZeroU32> {
    (host == "ghcr.io").then(|| NonZeroU32::new(2000)).flatten()
}

/// What a user says about a registry besides its address.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// The login.
    pub credentials: Option<Credentials>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Most bytes of a blob that the registry takes in one request; `None`: all of it.
    pub max_chunk: Option<NonZeroU64>,
}

/// One registry, shared by all who push to it.
#[derive(Debug)]
pub struct Registry {
    base: Url,
    host: String,
    http: reqwest::Client,
    auth: auth::Auth,
    budget: Arc<dyn HostBudget>,
    configs: config::Configs,
    singles: single::SinglePosts,
    max_chunk: Option<NonZeroU64>,
}

impl Registry {
    /// A client of the registry at `address`.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up (no TLS roots, certificates that are none, a bad proxy setting).
    pub fn new(
        address: &RegistryAddress,
        options: RegistryOptions,
        budget: Arc<dyn HostBudget>,
    ) -> Result<Self, SetupError> {
        let RegistryOptions {
            credentials,
            trust,
            max_chunk,
        } = options;
        let http = match trust.apply(http_client())?.build() {
            // A machine without certificates can still speak to a registry without TLS.
            Err(_) if address.base.scheme() == "http" => {
                http_client().tls_certs_only([]).build()?
            }
            built => built?,
        };
        let host = address.host();
        if trust.skip_verification && address.base.scheme() == "https" {
            tracing::warn!(
                host,
                "its certificate is not checked (--insecure-skip-tls-verify): whoever is on the way can read the login \
                 and change what is sent"
            );
        }
        Ok(Self {
            base: address.base.clone(),
            auth: auth::Auth::new(
                &address.base,
                host.clone(),
                credentials,
                http.clone(),
                Arc::clone(&budget),
            ),
            host,
            http,
            budget,
            configs: config::Configs::default(),
            singles: single::SinglePosts::default(),
            max_chunk,
        })
    }

    /// The same for one that is only read from: no token asks for more than that.
    #[must_use]
    pub fn for_reading(mut self) -> Self {
        self.auth.only_reads = true;
        self
    }

    /// `host[:port]`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether a blob of this length is sent in pieces.
    #[must_use]
    pub fn is_chunked(&self, len: u64) -> bool {
        self.max_chunk.is_some_and(|most| len > most.get())
    }

    /// Whether `other` is a client of the same registry.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.base.origin() == other.base.origin()
    }

    fn url(&self, path: &str) -> Url {
        self.base
            .join(&format!("v2/{path}"))
            .expect("repository, tag and digest are checked texts without URL syntax")
    }

    fn protocol(&self, action: &'static str, repository: &str, problem: &str) -> RegistryError {
        RegistryError::Protocol {
            action,
            host: self.host.clone(),
            repository: repository.to_owned(),
            problem: problem.to_owned(),
        }
    }

    async fn answered(
        &self,
        action: &'static str,
        repository: &str,
        response: Response,
    ) -> RegistryError {
        answer::answered(action, repository, response).await
    }
}

fn http_client() -> reqwest::ClientBuilder {
    // No read timeout: reqwest counts it from the start of the request, so it would end every upload
    // that takes longer. Each request has a time of its own instead.
    // No decoding, whatever other crates switch on: digests are of the bytes as sent.
    reqwest::Client::builder()
        .user_agent(concat!("conda-oci/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(hops::policy())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}
