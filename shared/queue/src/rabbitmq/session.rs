//! One connection to the broker with one channel, its queues declared. When either dies, both are replaced.

use std::sync::OnceLock;
use std::time::Duration;

use lapin::options::{BasicQosOptions, ConfirmSelectOptions};
use lapin::tcp::{AMQPUriTcpExt as _, OwnedTLSConfig};
use lapin::{Channel, Connection, ConnectionProperties, Error};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::names::Names;
use super::options::Options;
use super::topology;

/// How long a broker may take to let us in and declare queues.
const HANDSHAKE: Duration = Duration::from_secs(20);

/// How long it may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Between two looks whether the connection still stands: who waits for a broker to speak learns of its death so.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// What a connection is for. A broker that runs out of memory stops reading from connections that publish:
/// acknowledgements, which free memory, must not be stuck behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Messages with confirms.
    Publish,
    /// Deliveries, their settling, and questions.
    Consume,
}

impl Role {
    pub(super) const ALL: [Self; 2] = [Self::Publish, Self::Consume];
}

/// What all sessions of a queue are opened with.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) options: Options,
    /// The content of [`Options::ca_file`].
    pub(super) ca: Option<String>,
    pub(super) names: Vec<Names>,
}

/// An open connection.
pub(super) struct Session {
    connection: Connection,
    pub(super) channel: Channel,
    broken: CancellationToken,
    cause: OnceLock<String>,
}

impl Session {
    /// Connects and declares or checks the queues.
    pub(super) async fn open(settings: &Settings, role: Role) -> Result<Self, Fault> {
        match tokio::time::timeout(HANDSHAKE, Self::shake_hands(settings, role)).await {
            Ok(opened) => opened,
            Err(_) => Err(Fault::Passing(format!(
                "no answer for {} s",
                HANDSHAKE.as_secs()
            ))),
        }
    }

    async fn shake_hands(settings: &Settings, role: Role) -> Result<Self, Fault> {
        let connection = connect(settings, role).await;
        let connection = connection.map_err(|error| Fault::of_connecting(&error))?;
        let channel = connection.create_channel().await;
        let channel = channel.map_err(|error| Fault::of_connecting(&error))?;
        for names in &settings.names {
            topology::declare(&channel, names).await?;
        }
        let prefetch = settings.options.prefetch.get();
        let ready = match role {
            Role::Publish => {
                channel
                    .confirm_select(ConfirmSelectOptions::default())
                    .await
            }
            Role::Consume => {
                channel
                    .basic_qos(prefetch, BasicQosOptions::default())
                    .await
            }
        };
        ready.map_err(|error| Fault::of_connecting(&error))?;
        Ok(Self {
            connection,
            channel,
            broken: CancellationToken::new(),
            cause: OnceLock::new(),
        })
    }

    /// Somebody found the session of no more use, because of `cause`; the first one is remembered.
    pub(super) fn fail(&self, cause: impl Into<String>) {
        let _ = self.cause.set(cause.into());
        self.broken.cancel();
    }

    pub(super) fn stands(&self) -> bool {
        !self.broken.is_cancelled()
            && self.connection.status().connected()
            && self.channel.status().connected()
    }

    /// Whether the broker takes no messages for now, because it runs out of memory or disk.
    pub(super) fn blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Resolves when the session is of no more use, with the cause; `look` is called now and then until then.
    pub(super) async fn ended(&self, look: impl Fn(&Self)) -> String {
        let mut looks = tokio::time::interval(LOOK);
        while self.stands() {
            look(self);
            tokio::select! {
                () = self.broken.cancelled() => {}
                _ = looks.tick() => {}
            }
        }
        let cause = self.cause.get().map(String::as_str);
        cause.unwrap_or("the broker is gone").to_owned()
    }

    /// What the broker answers, for as long as the session stands: the library resolves no command that was given in the
    /// moment in which the connection broke.
    pub(super) async fn answered<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, String> {
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|error| error.to_string()),
            cause = self.ended(|_| {}) => Err(cause),
        }
    }

    /// Leaves in good order, if the broker still listens.
    pub(super) async fn close(&self) {
        let goodbye = self.connection.close(200, topology::short("bye"));
        // Whatever comes of it: the connection is dropped next.
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    /// A channel for questions, which the broker may answer by closing it: not the one with the deliveries.
    pub(super) async fn aside(&self) -> Result<Channel, Error> {
        self.connection.create_channel().await
    }
}

async fn connect(settings: &Settings, role: Role) -> Result<Connection, Error> {
    let ca = settings.ca.clone();
    // The TLS and TCP handshakes run on a thread of the library, which must not outlive our patience.
    let reach = async move |uri: lapin::uri::AMQPUri, runtime| {
        let tls = OwnedTLSConfig {
            identity: None,
            cert_chain: ca.clone(),
        };
        let connected = uri.connect_with_config_async(tls.as_ref(), &runtime);
        match tokio::time::timeout(HANDSHAKE, connected).await {
            Ok(connected) => connected.map_err(Error::from),
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    };
    let name = match role {
        Role::Publish => "conda-oci, publishing",
        Role::Consume => "conda-oci, consuming",
    };
    // The library could recover by itself, but not redeclare what was lost, nor tell who waits: the link does.
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let runtime = lapin::runtime::default_runtime()?;
    Connection::connector(settings.options.address.uri(), runtime, reach, properties).await
}
