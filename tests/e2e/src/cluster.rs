//! A mirror with workers elsewhere: a [`Stage`], the broker and the Redis between its processes, and what must be true
//! of all of it at the end.
//!
//! ```no_run
//! # async fn test() {
//! use mirror_e2e::cluster::Cluster;
//! use mirror_kit::channel::standard;
//!
//! let cluster = Cluster::new(standard).await;
//! let worker = cluster.worker().spawn();
//! cluster.mirror().run().await.assert_code(0);
//! worker.term();
//! worker.wait().await.assert_code(0);
//! cluster.assert_complete().await;
//! # }
//! ```

mod broker;
mod servers;

use std::path::PathBuf;

use mirror_kit::channel::Channel;
use mirror_kit::judge::Judge;
use mirror_kit::process::{Home, Run};
use mirror_kit::servers::{RabbitMq, RedisServer};

pub use self::broker::Depths;
pub use self::servers::Servers;

use crate::judged::assert_all_is_downloaded;
use crate::stage::{NAMESPACE, Stage};

/// A stage whose transfers are done by workers. Coordinators share the stage's home, each worker has one of its own.
pub struct Cluster {
    /// Channel, its server and the registry.
    pub stage: Stage,
    /// Broker and Redis.
    pub servers: Servers,
}

impl Cluster {
    /// A cluster at the servers that all tests of this process share.
    ///
    /// # Panics
    /// If the channel cannot be made or a server does not come up.
    pub async fn new(make: impl FnOnce(PathBuf) -> anyhow::Result<Channel>) -> Self {
        Self::around(Stage::registry(make).await, Servers::shared().await)
    }

    /// A cluster with servers of its own, which may be stopped: [`Servers::broker`], [`Servers::redis`].
    ///
    /// # Panics
    /// If the channel cannot be made.
    pub async fn with_own(
        broker: RabbitMq,
        redis: RedisServer,
        make: impl FnOnce(PathBuf) -> anyhow::Result<Channel>,
    ) -> Self {
        Self::around(Stage::registry(make).await, Servers::own(broker, redis))
    }

    /// A cluster of these parts.
    #[must_use]
    pub fn around(stage: Stage, servers: Servers) -> Self {
        Self { stage, servers }
    }

    /// `conda-oci mirror` of linux-64 (and so noarch) by way of the broker.
    #[must_use]
    pub fn mirror(&self) -> Run {
        self.coordinator("mirror", &self.stage.home)
    }

    /// The same from another machine, as far as files tell.
    #[must_use]
    pub fn mirror_in(&self, home: &Home) -> Run {
        self.coordinator("mirror", home)
    }

    /// `conda-oci enqueue` of the same.
    #[must_use]
    pub fn enqueue(&self) -> Run {
        self.coordinator("enqueue", &self.stage.home)
    }

    /// `conda-oci publish` of the same.
    #[must_use]
    pub fn publish(&self) -> Run {
        self.coordinator("publish", &self.stage.home)
    }

    fn coordinator(&self, name: &str, home: &Home) -> Run {
        self.stage
            .command_in(name, home)
            .args(self.servers.options())
    }

    /// `conda-oci-worker`, on a machine of its own as far as files tell.
    #[must_use]
    pub fn worker(&self) -> Run {
        self.servers.worker()
    }

    /// # Panics
    /// If the mirror is not complete and exact byte for byte, by our own look and by rattler's, or if anything of it is
    /// left at the broker ([`Servers::assert_drained`]), or dead.
    pub async fn assert_complete(&self) {
        self.assert_mirrored().await;
        let downloads = self.stage.downloads();
        self.servers.assert_drained().await;
        assert_eq!(self.servers.depths().await.dead, 0, "dead letters");
        let after = self.stage.downloads();
        assert_eq!(after, downloads, "what was left in the queue was settled");
    }

    /// The same without a look at the broker.
    ///
    /// # Panics
    /// If the mirror is not complete and exact byte for byte.
    pub async fn assert_mirrored(&self) {
        self.stage.assert_complete();
        let judge = Judge::new(self.stage.fake().addr()).await;
        let judge = judge.expect("the client has a way to the registry");
        let path = format!("{NAMESPACE}/{}", self.stage.channel.name);
        for sharded in [false, true] {
            assert_all_is_downloaded(&judge, &path, &self.stage.channel, sharded).await;
        }
    }
}
