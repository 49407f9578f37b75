//! The judge: rattler, the real client, asked whether what stands in a registry
//! or in a channel that is served can be found, solved and downloaded.
//!
//! rattler speaks https on port 443 to an `oci://` host, so the judge puts TLS
//! before the registry and calls it [`TEST_HOST`]. Every query starts with
//! empty caches.

mod form;
mod listed;
mod record;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use rattler_conda_types::{Channel, RepoDataRecord, Subdir};
use rattler_networking::authentication_storage::backends::memory::MemoryStorage;
use rattler_networking::{Authentication, AuthenticationStorage, OciMiddleware};
use rattler_repodata_gateway::sparse::PackageFormatSelection;
use rattler_repodata_gateway::{ChannelConfig, Gateway};
use rattler_solve::{SolverImpl as _, SolverTask, resolvo};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use url::Url;

pub use self::form::Form;
use self::listed::{check, match_specs};
use self::record::Record;
use crate::tls::{TEST_HOST, TestCa, TlsProxy};

/// rattler's client in front of one registry, or one server of channels.
pub struct Judge {
    client: ClientWithMiddleware,
    record: Arc<Record>,
    /// Where channels are looked for.
    base: Url,
    _proxy: Option<TlsProxy>,
}

impl Judge {
    /// A judge for the plain-http registry at `registry`, without credentials.
    ///
    /// # Errors
    /// If no port for the TLS proxy is to be had.
    pub async fn new(registry: SocketAddr) -> Result<Self> {
        Self::build(registry, None).await
    }

    /// A judge that shows `user` and `password` where it is asked for them.
    ///
    /// # Errors
    /// Like [`new`](Self::new).
    pub async fn with_login(registry: SocketAddr, user: &str, password: &str) -> Result<Self> {
        let login = Authentication::BasicHTTP {
            username: user.to_owned(),
            password: password.to_owned(),
        };
        Self::build(registry, Some(login)).await
    }

    /// A judge of the channels that a plain server has below `base`, `http://host:port` with or without a path.
    ///
    /// # Errors
    /// If `base` is no address.
    pub fn over_http(base: &str) -> Result<Self> {
        let plain = reqwest::Client::builder().no_proxy().build()?;
        let record = Arc::new(Record::default());
        let client = ClientBuilder::new(plain).with_arc(Arc::clone(&record) as _);
        Ok(Self {
            client: client.build(),
            record,
            base: format!("{}/", base.trim_end_matches('/')).parse()?,
            _proxy: None,
        })
    }

    async fn build(registry: SocketAddr, login: Option<Authentication>) -> Result<Self> {
        let ca = TestCa::new();
        let proxy = TlsProxy::start(&ca, registry)
            .await
            .context("no TLS proxy")?;
        let trusting = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(ca.pem().as_bytes())?])
            // The port is taken from this address, not from the URL.
            .resolve(TEST_HOST, proxy.addr())
            .build()?;
        let mut logins = AuthenticationStorage::empty();
        logins.add_backend(Arc::new(MemoryStorage::new()));
        if let Some(login) = login {
            logins.store(TEST_HOST, &login)?;
        }
        let middleware = OciMiddleware::new(trusting.clone()).with_authentication_storage(logins);
        let record = Arc::new(Record::default());
        let client = ClientBuilder::new(trusting)
            .with_arc(Arc::clone(&record) as _)
            .with(middleware)
            .build();
        Ok(Self {
            client,
            record,
            base: Self::channel_url(""),
            _proxy: Some(proxy),
        })
    }

    /// `oci://mirror.test/<path>`, where `path` is namespace and channel.
    ///
    /// # Panics
    /// If `path` makes no URL.
    #[must_use]
    pub fn channel_url(path: &str) -> Url {
        let url = format!("oci://{TEST_HOST}/{}", path.trim_matches('/'));
        url.parse().expect("channel paths make valid URLs")
    }

    /// The address of a channel here.
    fn url(&self, channel: &str) -> Result<Url> {
        let path = channel.trim_matches('/');
        Ok(format!("{}/{path}", self.base.as_str().trim_end_matches('/')).parse()?)
    }

    /// The records that the specs select from the subdirs of a channel, and
    /// those of everything they depend on.
    ///
    /// # Errors
    /// If rattler fails; or if it did not read the form that was meant (`true`:
    /// shards): from a missing shard index it would fall back to
    /// `repodata.json` in silence.
    pub async fn query(
        &self,
        channel: &str,
        subdirs: &[&str],
        specs: &[&str],
        form: impl Into<Form>,
    ) -> Result<Vec<RepoDataRecord>> {
        let formats = PackageFormatSelection::default();
        self.query_formats(channel, subdirs, specs, form, formats)
            .await
    }

    /// Like [`query`](Self::query) with the `.tar.bz2` files as well that
    /// rattler passes over because there is a `.conda` of the same build.
    ///
    /// # Errors
    /// Like [`query`](Self::query).
    pub async fn query_both_formats(
        &self,
        channel: &str,
        subdirs: &[&str],
        specs: &[&str],
        form: impl Into<Form>,
    ) -> Result<Vec<RepoDataRecord>> {
        let formats = PackageFormatSelection::Both;
        self.query_formats(channel, subdirs, specs, form, formats)
            .await
    }

    async fn query_formats(
        &self,
        channel: &str,
        subdirs: &[&str],
        specs: &[&str],
        form: impl Into<Form>,
        formats: PackageFormatSelection,
    ) -> Result<Vec<RepoDataRecord>> {
        let form = form.into();
        let cache = tempfile::tempdir()?;
        let gateway = Gateway::builder()
            .with_client(self.client.clone())
            .with_cache_dir(cache.path())
            .with_channel_config(ChannelConfig {
                default: form.source(),
                ..ChannelConfig::default()
            })
            .finish();
        let subdirs: Vec<Subdir> = subdirs
            .iter()
            .map(|s| s.parse())
            .collect::<Result<_, _>>()?;
        self.record.clear();
        let answer = gateway
            .query(
                [Channel::from_url(self.url(channel)?)],
                subdirs,
                match_specs(specs)?,
            )
            .recursive(true)
            .package_format_selection(formats)
            .execute()
            .await?;
        form.check(&self.record.served())?;
        Ok(answer
            .repodata
            .iter()
            .flat_map(|data| data.iter().cloned())
            .collect())
    }

    /// The packages that an environment of these specs on `platform` consists
    /// of, solved from the channel's `platform` and `noarch`.
    ///
    /// # Errors
    /// Like [`query`](Self::query), and if there is no solution.
    pub async fn solve(
        &self,
        channel: &str,
        platform: &str,
        specs: &[&str],
        form: impl Into<Form>,
    ) -> Result<Vec<RepoDataRecord>> {
        let available = self
            .query(channel, &[platform, "noarch"], specs, form)
            .await?;
        let task = SolverTask {
            specs: match_specs(specs)?,
            ..SolverTask::from_iter([&available])
        };
        Ok(resolvo::Solver.solve(task)?.records)
    }

    /// The bytes of a package as rattler downloads it: by the tag of its
    /// manifest, from the layer of its media type. Checked against the record's
    /// size and sha256 (md5 where that is all).
    ///
    /// # Errors
    /// If it is not there or its bytes are others.
    pub async fn download(&self, record: &RepoDataRecord) -> Result<Bytes> {
        let bytes = self.fetch(&record.url, None).await?;
        check(record, &bytes)?;
        Ok(bytes)
    }

    /// Like [`download`](Self::download) by the digest of the blob, the way
    /// rattler goes when it knows the sha256. It asks for the manifest only
    /// where that blob is missing.
    ///
    /// # Errors
    /// If the record has no sha256, and like [`download`](Self::download).
    pub async fn download_by_digest(&self, record: &RepoDataRecord) -> Result<Bytes> {
        let Some(sha256) = record.package_record.sha256 else {
            bail!("{} has no sha256", record.identifier);
        };
        let bytes = self.fetch(&record.url, Some(hex::encode(sha256))).await?;
        check(record, &bytes)?;
        Ok(bytes)
    }

    /// The bytes at a path below the registry as rattler resolves it, such as
    /// `ns/channel/noarch/repodata.json.zst`.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn get(&self, path: &str) -> Result<Bytes> {
        self.fetch(&self.url(path)?, None).await
    }

    async fn fetch(&self, url: &Url, sha256: Option<String>) -> Result<Bytes> {
        ensure!(
            url.as_str().starts_with(self.base.as_str()),
            "{url} leads away from the mirror"
        );
        let mut request = self.client.get(url.clone());
        if let Some(sha256) = sha256 {
            request = request.header("X-Expected-Sha256", sha256);
        }
        let response = request.send().await.with_context(|| format!("GET {url}"))?;
        let status = response.status();
        ensure!(status.is_success(), "GET {url} was answered {status}");
        response.bytes().await.with_context(|| format!("GET {url}"))
    }
}
