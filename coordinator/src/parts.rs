//! What a run is put together from.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use mirror_channel::channel::{Channel, Location};
use mirror_channel::selection::Selection;
use mirror_channel::source::{FetchOptions, Fetcher, SourceLogins};
use mirror_ledger::{Ledger, RedbLedger, RedisConnection};
use mirror_oci::Destination;
use mirror_oci::folder::Folder;
use mirror_oci::registry::{Address, Credentials, Registry, RegistryAddress, RegistryOptions};
use mirror_queue::{MemoryQueue, RabbitQueue, TaskQueue};
use mirror_runtime::host_budget::Rates;
use mirror_runtime::{HostBudget, MemoryHostBudget};
use mirror_worker::source::{MirrorLogins, Sources, address_of};

use crate::options::{Memory, Options};

/// Tasks the memory queue holds: the windows of all subdirs at work.
const QUEUE: NonZeroUsize = NonZeroUsize::new(2048).expect("not zero");

/// What this run does, for whoever finds its ledger locked.
pub(crate) fn command(name: &str, channel: &Channel, options: &Options) -> String {
    let registry = options
        .registry
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    match name {
        "push-cache" => format!("conda-oci push-cache of {} to {registry}", channel.name),
        _ => format!("conda-oci {name} of {} to {registry}", channel.display()),
    }
}

/// The Redis that others share, if this run has one.
pub(crate) async fn shared(options: &Options) -> anyhow::Result<Option<RedisConnection>> {
    Ok(match &options.memory {
        Memory::Folder(_) => None,
        Memory::Redis(redis) => Some(RedisConnection::connect(redis.clone()).await?),
    })
}

/// The queue between the planner and those who do the work, and the broker that it is at, if it is at one.
pub(crate) async fn queue(
    options: &Options,
) -> anyhow::Result<(Arc<dyn TaskQueue>, Option<Arc<RabbitQueue>>)> {
    Ok(match options.queue.clone().filter(|_| !options.dry_run) {
        None => (Arc::new(MemoryQueue::new(QUEUE)), None),
        Some(broker) => {
            let broker = Arc::new(RabbitQueue::connect(broker).await?);
            (Arc::clone(&broker) as _, Some(broker))
        }
    })
}

/// The ledger at `path`, held for `name`. A dry run does without one that cannot be read.
pub(crate) async fn open_ledger(
    path: &Path,
    name: &str,
    dry_run: bool,
) -> anyhow::Result<Arc<dyn Ledger>> {
    let (path, name) = (path.to_owned(), name.to_owned());
    let open = move || match RedbLedger::open(&path, &name) {
        // The copy of a ledger that a run is writing to may be torn; the original is not touched.
        Err(error) if dry_run => {
            tracing::warn!(%error, "planning without the ledger: it is in use or damaged");
            std::fs::remove_file(&path)?;
            Ok(RedbLedger::open(&path, &name)?)
        }
        opened => anyhow::Ok(opened?),
    };
    Ok(Arc::new(tokio::task::spawn_blocking(open).await??))
}

/// What fetches from channels, with the logins that this process has there.
///
/// # Errors
/// When a file with logins that was named cannot be used.
pub(crate) fn fetcher(
    options: &Options,
    budget: &Arc<dyn HostBudget>,
) -> anyhow::Result<Arc<Fetcher>> {
    let fetching = FetchOptions {
        read_timeout: options.read_timeout,
        ca_file: options.trust.ca_file.clone(),
        logins: SourceLogins::of_process()?,
        ..FetchOptions::default()
    };
    Ok(Arc::new(Fetcher::new(fetching, Arc::clone(budget))))
}

/// The request budgets of the hosts, shared with others where there is a `redis` for it.
pub(crate) fn budget(
    options: &Options,
    redis: Option<&RedisConnection>,
    name: &str,
) -> Arc<dyn HostBudget> {
    let mut rates = HashMap::new();
    if let Some(Address::Registry(registry)) = &options.registry {
        rates.insert(
            registry.host(),
            Rates {
                writes: options.write_rate(),
                reads: options.max_reads_per_minute,
            },
        );
    }
    match redis {
        None => Arc::new(MemoryHostBudget::new(rates)),
        Some(redis) => Arc::new(redis.host_budget(name, rates)),
    }
}

/// What is read from: the channel, and with the login that is meant for its host if it is at a registry.
pub(crate) fn sources(
    fetcher: Arc<Fetcher>,
    channel: &Channel,
    login: Option<Credentials>,
    (options, own): (&Options, Option<&Credentials>),
    budget: &Arc<dyn HostBudget>,
) -> Sources {
    let mut logins = MirrorLogins::default();
    if let Some(registry) = registry_of(channel) {
        logins = logins.with(registry, login);
    }
    if let Some(Address::Registry(registry)) = &options.registry {
        logins = logins.with(registry.clone(), own.cloned());
    }
    let trust = options.trust.clone();
    Sources::new(fetcher, logins, trust, Arc::clone(budget))
}

/// The registry that is read from, if one is, and where in it the channel is.
pub(crate) fn registry_of(channel: &Channel) -> Option<RegistryAddress> {
    match &channel.location {
        Location::Oci(url) => address_of(url),
        Location::Http(_) | Location::Folder(_) => None,
    }
}

/// Where the mirror goes; nowhere in a dry run that names no registry, or a folder that is not there yet.
pub(crate) fn destination(
    options: &Options,
    credentials: Option<Credentials>,
    budget: &Arc<dyn HostBudget>,
) -> anyhow::Result<Option<Destination>> {
    Ok(match &options.registry {
        // A channel folder is no place for manifests.
        None | Some(Address::Channel(_)) => None,
        Some(Address::Registry(address)) => {
            let registry = RegistryOptions {
                credentials,
                trust: options.trust.clone(),
                max_chunk: options.max_chunk,
            };
            let registry = Registry::new(address, registry, Arc::clone(budget))
                .with_context(|| format!("set up the client of {}", address.host()))?;
            Some(Destination::Registry(Box::new(registry)))
        }
        // A dry run neither makes the folder nor tries whether it can be written.
        Some(Address::Folder(folder)) if options.dry_run && !folder.exists() => None,
        Some(Address::Folder(folder)) if options.dry_run => {
            Some(Destination::Folder(Folder::open_source(folder)?))
        }
        Some(Address::Folder(folder)) => Some(Destination::Folder(Folder::open(folder)?)),
    })
}

/// Of everything that decides what a complete run leaves behind.
pub(crate) fn fingerprint(selection: &Selection, channel: &Channel, options: &Options) -> String {
    let (channel, selection) = (channel.display(), selection.fingerprint());
    let mut all = format!("2 {channel} {selection} {}", options.allow_unverified);
    // Nothing for none: what was complete without them still is.
    for (key, value) in &options.annotations {
        all.push_str(&format!(" {key:?}={value:?}"));
    }
    all
}
