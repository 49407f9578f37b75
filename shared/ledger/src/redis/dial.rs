//! How a connection to Redis comes about: login, TLS, and whether it is one of a cluster.

use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster::ClusterClient;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, RedisResult, ServerErrorKind, TlsCertificates, Value,
};

/// For a connection with TLS and login.
const CONNECT: Duration = Duration::from_secs(5);
/// For one answer. A server that is alive takes milliseconds; one that is gone without a word is noticed
/// by this.
const ANSWER: Duration = Duration::from_secs(10);

/// An established connection, shared by all requests.
#[derive(Clone)]
pub(super) enum Link {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    pub(super) async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        let answer = match self {
            Self::Single(connection) => connection.req_packed_command(command).await?,
            Self::Cluster(connection) => connection.req_packed_command(command).await?,
        };
        answer.extract_error()
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

/// Where to connect and how.
pub(super) struct Dial {
    url: String,
    /// The authority to trust instead of the system's, as PEM.
    ca: Option<Vec<u8>>,
}

/// What a server says of itself at the connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// One of the nodes of a cluster.
    cluster: bool,
    /// What it does when its memory is used up.
    pub(super) maxmemory_policy: Option<String>,
}

impl Dial {
    /// Fails for an address that cannot be used at all. Connects to nothing.
    pub(super) fn new(url: String, ca: Option<Vec<u8>>) -> RedisResult<Self> {
        // With two providers linked in, rustls asks for one to be named. Whoever named one before was first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dial = Self { url, ca };
        dial.client()?;
        Ok(dial)
    }

    fn certificates(&self) -> Option<TlsCertificates> {
        let root_cert = self.ca.clone();
        root_cert.map(|root_cert| TlsCertificates {
            client_tls: None,
            root_cert: Some(root_cert),
        })
    }

    fn client(&self) -> RedisResult<Client> {
        match self.certificates() {
            None => Client::open(self.url.as_str()),
            Some(certificates) => Client::build_with_tls(self.url.as_str(), certificates),
        }
    }

    pub(super) async fn dial(&self) -> RedisResult<(Link, About)> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let mut single = self
            .client()?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let about = match ask_about(&mut single).await {
            Ok(about) => about,
            // A login need not be allowed to ask.
            Err(error) if error.kind() == ServerErrorKind::NoPerm.into() => About::default(),
            Err(error) => return Err(error),
        };
        if !about.cluster {
            return Ok((Link::Single(single), about));
        }
        let mut cluster = ClusterClient::builder([self.url.as_str()])
            .connection_timeout(CONNECT)
            .response_timeout(ANSWER);
        if let Some(certificates) = self.certificates() {
            cluster = cluster.certs(certificates);
        }
        let connection = cluster.build()?.get_async_connection().await?;
        Ok((Link::Cluster(connection), about))
    }
}

async fn ask_about(connection: &mut MultiplexedConnection) -> RedisResult<About> {
    let text: String = ::redis::cmd("INFO").query_async(connection).await?;
    Ok(About::read(&text))
}

impl About {
    fn read(info: &str) -> Self {
        let line = |name: &str| {
            let mut lines = info.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        Self {
            cluster: line("redis_mode") == Some("cluster"),
            maxmemory_policy: line("maxmemory_policy").map(str::to_owned),
        }
    }

    /// A policy that drops keys, or all that would expire.
    pub(super) fn evicts(&self) -> Option<&str> {
        let policy = self.maxmemory_policy.as_deref();
        policy.filter(|policy| *policy != "noeviction")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_whether_it_evicts_and_is_a_clusters() {
        let about = About::read(
            "# Server\r\nredis_mode:cluster\r\n# Memory\r\nmaxmemory_policy:allkeys-lru\r\n",
        );
        assert!(about.cluster);
        assert_eq!(about.evicts(), Some("allkeys-lru"));
        let about = About::read("redis_mode:standalone\r\nmaxmemory_policy:noeviction\r\n");
        assert!(!about.cluster);
        assert_eq!(about.evicts(), None);
        assert_eq!(About::read("").evicts(), None);
    }
}
