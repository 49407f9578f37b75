//! How a broker is reached and used. The address holds the password and never shows it.

use std::fmt;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use mirror_runtime::Secret;

use crate::error::QueueError;

/// Seconds after which a silent connection counts as dead, if the address does not say.
const HEARTBEAT: u16 = 30;

/// How to use a broker.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the broker is.
    pub address: Address,
    /// A file with the certificates (PEM) of authorities to trust beside the system's, for `amqps`.
    pub ca_file: Option<PathBuf>,
    /// What the queues' names begin with; keeps mirrors on one broker apart.
    pub name: String,
    /// Tasks this process holds at most, in hand or ready to be taken: as many as it works on at once.
    pub prefetch: NonZeroU16,
    /// Tasks that may be on their way to the broker at once; publishing waits beyond that.
    pub unconfirmed: NonZeroUsize,
    /// How long to try to come together at the start.
    pub connect_patience: Duration,
    /// How long to try to have a task taken, restarts of the broker included.
    pub patience: Duration,
    /// After how long without an acknowledgement a delivery should be
    /// [handed over](crate::Delivery::hand_over). Less than the broker's `consumer_timeout`, half an hour by default.
    pub hand_over_after: Duration,
}

impl Options {
    /// Defaults for the broker at `address`.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            ca_file: None,
            name: "conda-oci".to_owned(),
            prefetch: NonZeroU16::MIN,
            unconfirmed: const { NonZeroUsize::new(1024).expect("not zero") },
            connect_patience: Duration::from_secs(30),
            patience: Duration::from_secs(300),
            hand_over_after: Duration::from_secs(20 * 60),
        }
    }
}

/// The URL of a broker, `amqp://` or `amqps://`. Shows scheme, host, port and virtual host only.
#[derive(Clone)]
pub struct Address {
    uri: AMQPUri,
    shown: String,
}

impl Address {
    /// Reads `amqp[s]://[user[:password]@]host[:port][/vhost]`.
    ///
    /// # Errors
    /// When it is no such URL; the error does not repeat it.
    pub fn parse(url: &Secret) -> Result<Self, QueueError> {
        let refused = |why: &str| QueueError::Setting {
            setting: "the address",
            why: why.to_owned(),
        };
        let parsed = url::Url::parse(url.expose())
            .map_err(|error| refused(&format!("{error} (amqp://user:password@host/vhost)")))?;
        if !matches!(parsed.scheme(), "amqp" | "amqps") {
            return Err(refused("must begin with amqp:// or amqps://"));
        }
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(refused("names no host"));
        }
        // What the parser says of a wrong address may repeat parts of it.
        let mut uri: AMQPUri = url.expose().parse().map_err(|_| {
            refused("is no amqp://user:password@host:port/vhost, special characters %-encoded")
        })?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let scheme = match uri.scheme {
            AMQPScheme::AMQP => "amqp",
            AMQPScheme::AMQPS => "amqps",
        };
        let vhost = match uri.vhost.as_str() {
            "/" => String::new(),
            vhost => format!("/{vhost}"),
        };
        let (host, port) = (&uri.authority.host, uri.authority.port);
        let shown = format!("{scheme}://{host}:{port}{vhost}");
        Ok(Self { uri, shown })
    }

    pub(super) fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(url: &str) -> Result<Address, QueueError> {
        Address::parse(&Secret::new(url))
    }

    #[test]
    fn an_address_shows_where_and_never_who() {
        for (url, shown) in [
            (
                "amqp://me:hunter2@broker.test/%2f",
                "amqp://broker.test:5672",
            ),
            ("amqp://me:hunter2@broker.test", "amqp://broker.test:5672"),
            (
                "amqps://me:hunter2@broker.test/mirror",
                "amqps://broker.test:5671/mirror",
            ),
            ("amqp://broker.test:1234", "amqp://broker.test:1234"),
        ] {
            let address = parse(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("Address({shown})"));
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for url in [
            "http://me:hunter2@broker.test",
            "me:hunter2@broker.test",
            "amqp://me:hunter2@",
            "amqp://me:hunter2@broker.test:port",
            "amqp://me:hunter2@broker.test/?auth_mechanism=hunter2",
        ] {
            let error = parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_silent_connection_is_noticed_unless_the_user_says_otherwise() {
        let heartbeat = |url| parse(url).unwrap().uri().query.heartbeat;
        assert_eq!(heartbeat("amqp://broker.test"), Some(HEARTBEAT));
        assert_eq!(heartbeat("amqp://broker.test?heartbeat=5"), Some(5));
    }
}
