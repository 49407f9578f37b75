//! Looks at everything there is to see of a mirror.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mirror_channel::channel::Location;
use mirror_ledger::RedisConnection;
use mirror_oci::registry::Address;
use mirror_queue::{RabbitQueue, TaskQueue as _};
use mirror_runtime::clock;

use super::pace::Looks;
use super::seen::{ParkedHost, Queue, Seen, Subdir, WorkerSeen, Workers};
use crate::cli::Which;
use crate::look::memory::{self, Remembered};

/// Workers that are listed.
const LISTED: usize = 100;
/// How long the broker is waited for: what else there is to see is shown without it.
const BROKER: Duration = Duration::from_secs(5);

/// Looks at one mirror, and remembers what it saw for the next look.
pub(super) struct Observer<'a> {
    which: &'a Which,
    looks: HashMap<String, Looks>,
    /// Kept from look to look. Those of one machine are not: the next run wants its ledger.
    shared: Option<Arc<Remembered>>,
    broker: Option<RabbitQueue>,
}

impl<'a> Observer<'a> {
    pub(super) fn new(which: &'a Which) -> Self {
        Self {
            which,
            looks: HashMap::new(),
            shared: None,
            broker: None,
        }
    }

    pub(super) fn title(&self) -> String {
        crate::look::title(self.which)
    }

    /// Looks.
    ///
    /// # Errors
    /// When the ledger cannot be read. That the broker cannot be seen is part of what is.
    pub(super) async fn look(&mut self) -> anyhow::Result<Seen> {
        let remembered = match &self.shared {
            Some(remembered) => Arc::clone(remembered),
            None => Arc::new(memory::open(self.which).await?),
        };
        if remembered.redis.is_some() {
            self.shared = Some(Arc::clone(&remembered));
        }
        let known = remembered.subdirs(&self.which.subdirs).await?;
        let at_ms = clock::now_ms();
        let is_shared = remembered.redis.is_some();
        let mut subdirs = Vec::with_capacity(known.len());
        for known in known {
            let looks = self.looks.entry(known.subdir.clone()).or_default();
            let pace = known.tally.as_ref().map(|tally| looks.add(at_ms, tally));
            subdirs.push(Subdir::of(known, pace.unwrap_or_default(), is_shared));
        }
        let (mut workers, mut parked) = (None, Vec::new());
        if let Some(redis) = &remembered.redis {
            workers = Some(workers_of(redis).await?);
            parked = self.parked(redis).await?;
        }
        Ok(Seen {
            at_ms,
            name: self.which.name.clone(),
            channel: self.which.channel.name.clone(),
            registry: self.which.registry.to_string(),
            subdirs,
            workers,
            parked,
            queue: self.queue().await,
        })
    }

    /// The hosts of the mirror that asked for patience.
    async fn parked(&self, redis: &RedisConnection) -> anyhow::Result<Vec<ParkedHost>> {
        let registry = match &self.which.registry {
            Address::Registry(registry) => Some(registry.host()),
            Address::Folder(_) | Address::Channel(_) => None,
        };
        let channel = match &self.which.channel.location {
            Location::Http(url) | Location::Oci(url) => {
                url.host_str().map(|host| match url.port() {
                    Some(port) => format!("{host}:{port}"),
                    None => host.to_owned(),
                })
            }
            Location::Folder(_) => None,
        };
        let channel = channel.filter(|host| registry.as_ref() != Some(host));
        let mut parked = Vec::new();
        for host in registry.into_iter().chain(channel) {
            if let Some(mirror_ledger::Parked { left_ms, why }) = redis.parked(&host).await? {
                parked.push(ParkedHost { host, left_ms, why });
            }
        }
        Ok(parked)
    }

    async fn queue(&mut self) -> Option<Queue> {
        let mut options = self.which.queue.clone()?;
        options.connect_patience = BROKER;
        let (broker, name) = (options.address.to_string(), options.name.clone());
        let looked = async {
            if self.broker.is_none() {
                self.broker = Some(RabbitQueue::connect(options).await?);
            }
            match &self.broker {
                Some(broker) => broker.depth().await.map(Some),
                None => Ok(None),
            }
        };
        let (depth, error) = match tokio::time::timeout(BROKER * 2, looked).await {
            Ok(Ok(depth)) => (depth, None),
            Ok(Err(error)) => (None, Some(error.to_string())),
            Err(_) => (None, Some("it does not answer".to_owned())),
        };
        Some(Queue {
            broker,
            name,
            ready: depth.map(|depth| depth.ready),
            delayed: depth.map(|depth| depth.delayed),
            error,
        })
    }
}

async fn workers_of(redis: &RedisConnection) -> anyhow::Result<Workers> {
    let (live, count) = redis.workers().live(LISTED).await?;
    let mut listed: Vec<_> = live.into_iter().map(WorkerSeen::of).collect();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Workers { count, listed })
}
