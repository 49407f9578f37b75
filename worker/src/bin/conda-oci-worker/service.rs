//! The life of a worker: comes together with Redis and the broker, works, and outlives what goes away meanwhile.
//!
//! A worker that cannot work takes no tasks: it lets go of the queue, says why, and tries again after a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mirror_channel::source::{FetchOptions, Fetcher, SourceLogins};
use mirror_ledger::RedisConnection;
use mirror_oci::registry::{LoginError, Logins, RegistryAddress};
use mirror_queue::{RabbitQueue, TaskQueue as _};
use mirror_runtime::host_budget::Rates;
use mirror_runtime::telemetry::Export;
use mirror_runtime::{Disposed, Disposition, HostBudget, Shutdown, listen, process};
use mirror_worker::source::{MirrorLogins, Sources};
use mirror_worker::spool::Spool;
use mirror_worker::{Activity, Context, Options, OwnFolder, Worker, WorkerError};

use crate::cli::Settings;
use crate::health::{Condition, Health};
use crate::presence::announce;
use crate::served::Served;

/// How long a worker rests that something on its way refused: somebody has to mend that.
const REFUSED: Duration = Duration::from_secs(300);
/// How long a worker rests that found nobody.
const AWAY: Duration = Duration::from_secs(15);

/// Works until a stop is asked for.
///
/// # Errors
/// When it cannot run as it is set up.
pub(crate) async fn run(
    settings: Settings,
    export: Arc<Export>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let activity = Arc::new(Activity::default());
    let health = Arc::new(Health::new(Arc::clone(&activity)));
    // Answers for as long as it works, its grace included.
    let listening = Shutdown::new();
    if let Some(address) = settings.listen {
        let (health, listening) = (Arc::clone(&health), listening.clone());
        listen::serve(address, move || health.ready(), export, listening).await?;
    }
    let name = process::name("conda-oci-worker");
    tracing::info!(name, slots = settings.workers, "starting");
    let connect = || RedisConnection::connect(settings.redis.clone());
    let Some(redis) = patiently(connect, &health, &shutdown).await? else {
        return Ok(());
    };
    health.has_redis(&redis);
    let (spool, _folder) = spool(&settings)?;
    let workers = redis.workers();
    let said = announce(&workers, &name, settings.workers, &health, &activity);
    let working = work(
        &settings, &redis, &name, spool, &activity, &health, &shutdown,
    );
    let worked = tokio::select! {
        worked = working => worked,
        () = said => unreachable!("what is said does not end by itself"),
    };
    // It may be that Redis is away; then the entry ends by itself.
    let _ = tokio::time::timeout(
        Duration::from_secs(1),
        workers.announce(&name, "", Duration::ZERO),
    )
    .await;
    listening.request();
    worked
}

async fn work(
    settings: &Settings,
    redis: &RedisConnection,
    name: &str,
    spool: Spool,
    activity: &Arc<Activity>,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let rates = rates(settings);
    let budget: Arc<dyn HostBudget> = Arc::new(redis.host_budget(name, rates));
    let fetching = FetchOptions {
        read_timeout: settings.read_timeout,
        ca_file: settings.trust.ca_file.clone(),
        logins: SourceLogins::of_process()?,
        ..FetchOptions::default()
    };
    let fetcher = Arc::new(Fetcher::new(fetching, Arc::clone(&budget)));
    let trust = settings.trust.clone();
    let sources = Sources::new(fetcher, logins(settings)?, trust, Arc::clone(&budget));
    let sources = Arc::new(sources);
    let mirrors = Arc::new(Served {
        redis: redis.clone(),
        budget,
        logins: settings.logins.clone(),
        trust: settings.trust.clone(),
        max_chunk: settings.max_chunk,
        registries: settings.registries.clone(),
        shared_path: settings.shared_path,
        targets: Default::default(),
    });
    while !shutdown.is_requested() {
        let connect = || RabbitQueue::connect(settings.queue.clone());
        let Some(queue) = patiently(connect, health, shutdown).await? else {
            return Ok(());
        };
        let queue = Arc::new(queue);
        health.has_queue(&queue);
        let worker = Worker::new(Context {
            queue: Arc::clone(&queue) as _,
            mirrors: Arc::clone(&mirrors) as _,
            sources: Arc::clone(&sources),
            spool: spool.clone(),
            limits: settings.limits,
            activity: Arc::clone(activity),
            attempts: settings.attempts,
            name: name.to_owned(),
        });
        let options = Options {
            slots: settings.workers,
            grace: settings.grace,
            stands_alone: false,
        };
        health.set(Condition::Working);
        tracing::info!("takes tasks");
        let worked = tokio::select! {
            worked = worker.run(options, shutdown.clone()) => worked,
            () = show_stopping(health, shutdown) => unreachable!("what is shown does not end by itself"),
        };
        queue.close().await;
        let Err(error) = worked else {
            break;
        };
        let rest = match rest_after(&error) {
            Some(rest) => rest,
            None => return Err(error.into()),
        };
        if shutdown.is_requested() {
            tracing::warn!(%error, "stopped with it");
            break;
        }
        tracing::error!(%error, seconds = rest.as_secs(), "takes no tasks; tries again");
        health.set(Condition::Waiting(error.to_string()));
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = shutdown.requested() => {}
        }
        // Without it no task could be begun, and each would have gone back to the queue once more.
        let ping = || redis.ping();
        if patiently(ping, health, shutdown).await?.is_none() {
            break;
        }
    }
    Ok(())
}

/// From the moment in which a stop is asked for.
async fn show_stopping(health: &Health, shutdown: &Shutdown) {
    shutdown.requested().await;
    health.set(Condition::Stopping);
    std::future::pending().await
}

/// How long to rest after what ended the work; `None`: it will not pass.
fn rest_after(error: &WorkerError) -> Option<Duration> {
    let passing = |disposition| (disposition == Disposition::Retry).then_some(AWAY);
    match error {
        WorkerError::Ledger(error) => passing(error.disposition()),
        WorkerError::Queue(error) => passing(error.disposition()),
        WorkerError::Unanswered { .. } => Some(AWAY),
        WorkerError::Refused { .. }
        | WorkerError::RefusedAtOnce { .. }
        | WorkerError::Local { .. } => Some(REFUSED),
    }
}

/// Makes a connection, and again for as long as it takes. `None`: a stop was asked for.
async fn patiently<T, E, C>(
    connect: impl Fn() -> C,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<T>>
where
    E: Disposed + std::error::Error + Send + Sync + 'static,
    C: Future<Output = Result<T, E>>,
{
    let mut said = false;
    loop {
        let connected = tokio::select! {
            biased;
            () = shutdown.requested() => return Ok(None),
            connected = connect() => connected,
        };
        match connected {
            Ok(connected) => return Ok(Some(connected)),
            Err(error) if error.disposition() == Disposition::Retry => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(%error, "waits for it");
                }
                health.set(Condition::Waiting(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is read from with a login: the registries named as sources, and those that may be pushed to. Nothing that only a
/// task names. Asked once, before any task: it reads files, and may wait for credential helpers.
fn logins(settings: &Settings) -> Result<MirrorLogins, LoginError> {
    let with = |known: MirrorLogins, logins: &Logins, registry: &RegistryAddress| {
        let login = logins.of(&registry.host(), &registry.namespace)?;
        Ok(known.with(registry.clone(), login))
    };
    let sources = settings.sources.iter();
    let read = sources.map(|source| (&settings.source_logins, source));
    let registries = settings.registries.iter();
    let pushed = registries.map(|registry| (&settings.logins, registry));
    read.chain(pushed)
        .try_fold(MirrorLogins::default(), |known, (logins, registry)| {
            with(known, logins, registry)
        })
}

/// The rates of the hosts this worker pushes to. Of those it does not know beforehand only ghcr.io's is known.
fn rates(settings: &Settings) -> HashMap<String, Rates> {
    let served = settings.registries.iter().map(RegistryAddress::host);
    served
        .chain(["ghcr.io".to_owned()])
        .map(|host| {
            let writes = settings
                .rates
                .writes
                .or(mirror_oci::registry::known_write_rate(&host));
            let rates = Rates {
                writes,
                ..settings.rates
            };
            (host, rates)
        })
        .collect()
}

/// The spool, in a folder of its own: workers on one machine may be given one folder.
fn spool(settings: &Settings) -> anyhow::Result<(Spool, OwnFolder)> {
    let parent = match &settings.spool {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join("conda-oci-worker"),
    };
    let own = OwnFolder::make(&parent)?;
    let spool = Spool::open(own.path().join("files"), settings.spool_size)?;
    Ok((spool, own))
}
