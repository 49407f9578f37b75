//! Real servers for tests: a registry process, or the one that the environment
//! names; RabbitMQ, Redis, Prometheus. A missing program fails the test and says how to get it; nothing is
//! skipped in silence.

mod docker_registry;
mod door;
mod leash;
mod prometheus;
mod rabbitmq;
mod redis;
pub mod skopeo;
mod token_server;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use url::Url;

pub use self::docker_registry::{DockerRegistry, DockerRegistryOptions};
pub use self::door::Door;
pub use self::prometheus::Prometheus;
pub use self::rabbitmq::{RABBITMQ_VARIABLE, RabbitMq, RabbitMqOptions};
pub use self::redis::{RedisCluster, RedisOptions, RedisServer};
pub use self::token_server::TokenServer;

/// The environment variable with the URL of a registry to use instead of
/// launching one: `http://host:port`, open for anonymous pushes.
pub const REGISTRY_VARIABLE: &str = "CONDA_OCI_TEST_REGISTRY";

/// A real registry with a namespace that no other test uses.
pub struct RealRegistry {
    url: String,
    namespace: String,
    addr: SocketAddr,
    /// Kept running.
    _launched: Option<DockerRegistry>,
}

impl RealRegistry {
    /// The registry of [`REGISTRY_VARIABLE`], else a launched
    /// [`DockerRegistry`].
    ///
    /// # Errors
    /// If the variable's URL has no address, or the launch fails.
    pub async fn start() -> Result<Self> {
        let namespace = unique_namespace();
        if let Ok(given) = std::env::var(REGISTRY_VARIABLE) {
            let addr = address(&given).with_context(|| format!("{REGISTRY_VARIABLE}={given}"))?;
            let url = given.trim_end_matches('/').to_owned();
            return Ok(Self {
                url,
                namespace,
                addr,
                _launched: None,
            });
        }
        let launched = DockerRegistry::launch().await?;
        let (url, addr) = (launched.url(), launched.addr());
        Ok(Self {
            url,
            namespace,
            addr,
            _launched: Some(launched),
        })
    }

    /// `http://host:port`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A namespace of this test alone.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// `http://host:port/namespace`, what a mirror is given as its registry.
    #[must_use]
    pub fn destination(&self) -> String {
        format!("{}/{}", self.url, self.namespace)
    }

    /// Address and port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

fn address(url: &str) -> Result<SocketAddr> {
    let url = Url::parse(url)?;
    let host = url.host_str().context("it names no host")?;
    let port = url.port_or_known_default().context("it names no port")?;
    let mut addresses = (host, port).to_socket_addrs()?;
    addresses.next().context("its host has no address")
}

fn unique_namespace() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().hash_one(number) as u32;
    format!("test-{}-{number}-{random:08x}", std::process::id())
}

/// A port that nobody used a moment ago.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A folder for a server's files, in memory where `/dev/shm` exists.
fn memory_folder() -> Result<TempDir> {
    match Path::new("/dev/shm") {
        memory if memory.is_dir() => Ok(tempfile::tempdir_in(memory)?),
        _ => Ok(tempfile::tempdir()?),
    }
}

/// Where a program is.
fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/bin".into(), "/usr/local/bin".into()]);
    let mut found = folders
        .map(|folder| folder.join(name))
        .filter(|path| path.is_file());
    match found.next() {
        Some(path) => Ok(path),
        None => bail!(
            "`{name}` is not installed, and tests do not skip: run them with ./tests/run, which installs it"
        ),
    }
}
