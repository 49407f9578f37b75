//! Puts a run together: destination, ledger, queue, worker; and takes it through the subdirs.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mirror_channel::channel::{Channel, Location};
use mirror_channel::selection::{Filters, NewerThan, Selection, unmatched};
use mirror_channel::source::{FetchOptions, Fetcher};
use mirror_ledger::{Ledger, RedbLedger};
use mirror_oci::Destination;
use mirror_oci::folder::Folder;
use mirror_oci::registry::{Address, Credentials, Registry};
use mirror_queue::MemoryQueue;
use mirror_runtime::host_budget::Rates;
use mirror_runtime::{HostBudget, MemoryHostBudget, Shutdown, clock};
use mirror_worker::spool::{Spool, empty_folder};
use mirror_worker::{Activity, Context, Worker, WorkerError};

use crate::guard::{Guard, Sum};
use crate::options::Options;
use crate::places::Places;
use crate::progress::{Progress, Screen, Style};
use crate::report::Report;
use crate::run::Run;
use crate::subdirs::{self, Ended, Synced};
use crate::summary::{SubdirSummary, Summary};
use crate::undistributable;

/// Tasks the memory queue holds: the windows of all subdirs at work.
const QUEUE: NonZeroUsize = NonZeroUsize::new(2048).expect("not zero");

/// What somebody wants mirrored, checked.
#[derive(Debug)]
pub(crate) struct Request {
    /// What its configuration file calls it.
    pub name: Option<String>,
    pub channel: Channel,
    /// The channel's name without `--as`.
    pub natural_name: String,
    /// What is selected; the undistributable list is read by the run.
    pub filters: Filters,
    pub undistributable: Option<String>,
    pub credentials: Option<Credentials>,
    pub report: Option<PathBuf>,
    pub guard: Guard,
    pub options: Options,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.channel.name)?;
        match &self.options.registry {
            Some(registry) => write!(f, " to {registry}"),
            None => Ok(()),
        }
    }
}

/// Runs it to the end. What kept it from being done, and files that failed, are in the summary.
pub(crate) async fn run(
    request: Request,
    style: Style,
    screen: &Screen,
    shutdown: &Shutdown,
) -> Summary {
    let started = Instant::now();
    let registry = request.options.registry.as_ref();
    let mut summary = Summary {
        name: request.name.clone(),
        channel: request.channel.name.clone(),
        registry: registry.map(ToString::to_string),
        dry_run: request.options.dry_run,
        rate: request.options.write_rate().map(u32::from),
        ..Summary::default()
    };
    let report = match Report::create(request.report.as_deref()) {
        Ok(report) => Arc::new(report),
        Err(error) => {
            summary.error = Some(format!("{error:#}"));
            return summary;
        }
    };
    let mirrored = mirror(request, Arc::clone(&report), style, screen, shutdown);
    match mirrored.await {
        Ok((ended, stopped)) => summary.end(ended, stopped.err().map(|error| error.to_string())),
        Err(error) => summary.error = Some(format!("{error:#}")),
    }
    summary.interrupted = shutdown.is_requested();
    summary.seconds = started.elapsed().as_secs_f64();
    // What was mirrored is said all the same.
    if let Err(error) = report.finish(&summary) {
        summary.error.get_or_insert(format!("{error:#}"));
    }
    summary
}

/// Puts the parts together and lets them work.
async fn mirror(
    request: Request,
    report: Arc<Report>,
    style: Style,
    screen: &Screen,
    shutdown: &Shutdown,
) -> anyhow::Result<(Ended, Result<(), WorkerError>)> {
    let Request {
        channel,
        natural_name,
        mut filters,
        undistributable,
        credentials,
        guard,
        options,
        ..
    } = request;
    let budget = budget(&options);
    let fetching = FetchOptions {
        read_timeout: options.read_timeout,
        ..FetchOptions::default()
    };
    let fetcher = Arc::new(Fetcher::new(fetching, Arc::clone(&budget)));
    let names = [channel.name.as_str(), natural_name.as_str()];
    filters.undistributable = tokio::select! {
        biased;
        () = shutdown.requested() => return Ok((Ended::default(), Ok(()))),
        names = undistributable::names(names, undistributable.as_deref(), &fetcher) => names?,
    };
    let selection = Arc::new(Selection::new(&filters, clock::now_ms())?);

    if let Location::Folder(folder) = &channel.location {
        let shown = folder.display();
        anyhow::ensure!(
            folder.is_dir(),
            "the channel {shown} is no folder; is its path spelled right?"
        );
    }
    let (places, _temporary) = Places::of(&options, &channel)?;
    let name = format!("conda-oci process {}", std::process::id());
    let command = command(&channel, &options);
    let ledger = open_ledger(&places.ledger, &command, options.dry_run).await?;
    let spool = Spool::open(places.spool.join("files"), options.spool_size)?;
    // Indexes go beside the packages: they are as large and as short-lived.
    let scratch = places.spool.join("indexes");
    empty_folder(&scratch)?;

    let activity = Arc::new(Activity::default());
    let run = Run {
        fingerprint: fingerprint(&selection, &channel, options.allow_unverified),
        has_credentials: credentials.is_some(),
        destination: destination(&options, credentials, &budget)?.map(Arc::new),
        ledger,
        queue: Arc::new(MemoryQueue::new(QUEUE)),
        fetcher,
        progress: Progress::new(Arc::clone(&activity)),
        report,
        scratch,
        shutdown: shutdown.clone(),
        name,
        options,
        channel,
        selection,
        guard,
        measured: Sum::default(),
        admitted: Sum::default(),
        // Of the newest versions among the recent, others are the newest when some are no longer recent.
        selection_slides: filters.latest.is_some()
            && matches!(filters.newer_than, Some(NewerThan::Age(_))),
    };
    let synced = Synced::default();
    let worked = tokio::select! {
        worked = work(&run, spool, activity, &synced) => worked,
        () = run.progress.show(style, screen, &*run.queue) => unreachable!("the display does not end by itself"),
    };
    let ended = synced.finish();
    if !shutdown.is_requested() && !ended.is_cut_off {
        warn_of_nothing(&filters, &ended.subdirs);
    }
    Ok((ended, worked))
}

/// Says which patterns no package of the channel has a name for, or else that nothing was selected. Of subdirs that
/// were not planned nobody knows.
fn warn_of_nothing(filters: &Filters, subdirs: &[SubdirSummary]) {
    let unknown = |subdir: &SubdirSummary| subdir.unchanged || subdir.error.is_some();
    if subdirs.is_empty() || subdirs.iter().any(unknown) {
        return;
    }
    let names = subdirs.iter().flat_map(|subdir| &subdir.names);
    let names = names.map(|name| name.name.to_ascii_lowercase()).collect();
    let unmatched = unmatched(&filters.packages, &names);
    for pattern in &unmatched {
        tracing::warn!("no package of the channel matches {pattern}");
    }
    let selects_none = subdirs.iter().all(|subdir| subdir.selected() == 0);
    if unmatched.is_empty() && selects_none && filters.is_narrowed() {
        tracing::warn!("no package of the channel is left by the filters");
    }
}

/// Syncs the subdirs with a worker beside them. What does not stop by itself soon after a stop was
/// asked for is dropped where it is.
async fn work(
    run: &Run,
    spool: Spool,
    activity: Arc<Activity>,
    synced: &Synced,
) -> Result<(), WorkerError> {
    let mut syncing = std::pin::pin!(subdirs::sync(run, synced));
    let Some(destination) = run.destination.as_ref().filter(|_| !run.options.dry_run) else {
        tokio::select! {
            () = syncing => {}
            () = overdue(run) => {}
        }
        return Ok(());
    };
    let worker = Worker::new(Context {
        queue: Arc::clone(&run.queue),
        outcomes: Arc::clone(&run.ledger) as _,
        claims: Arc::clone(&run.ledger) as _,
        destination: Arc::clone(destination),
        namespace: run.namespace().to_owned(),
        fetcher: Arc::clone(&run.fetcher),
        spool,
        limits: run.options.limits,
        activity,
        attempts: run.options.attempts,
        name: run.name.clone(),
    });
    let options = mirror_worker::Options {
        slots: run.options.workers,
        grace: run.options.grace,
    };
    let mut working = std::pin::pin!(worker.run(options, run.shutdown.clone()));
    let worked = tokio::select! {
        () = &mut syncing => None,
        worked = &mut working => Some(worked),
        () = overdue(run) => return Ok(()),
    };
    match worked {
        // The worker gives back what it has before the ledger closes.
        None => {
            run.queue.close().await;
            tokio::select! {
                worked = working => worked,
                () = overdue(run) => Ok(()),
            }
        }
        Some(Err(error)) => Err(error),
        Some(Ok(())) => {
            tokio::select! {
                () = syncing => {}
                () = overdue(run) => {}
            }
            Ok(())
        }
    }
}

async fn overdue(run: &Run) {
    run.shutdown.requested().await;
    tokio::time::sleep(run.options.grace + Duration::from_secs(2)).await;
}

/// What this run does, for whoever finds its ledger locked.
fn command(channel: &Channel, options: &Options) -> String {
    let registry = options
        .registry
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!("conda-oci mirror of {} to {registry}", channel.display())
}

async fn open_ledger(path: &Path, name: &str, dry_run: bool) -> anyhow::Result<Arc<dyn Ledger>> {
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

fn budget(options: &Options) -> Arc<dyn HostBudget> {
    let mut rates = HashMap::new();
    if let Some(Address::Registry(registry)) = &options.registry {
        rates.insert(
            registry.host(),
            Rates {
                writes: options.write_rate(),
                reads: None,
            },
        );
    }
    Arc::new(MemoryHostBudget::new(rates))
}

fn destination(
    options: &Options,
    credentials: Option<Credentials>,
    budget: &Arc<dyn HostBudget>,
) -> anyhow::Result<Option<Destination>> {
    Ok(match &options.registry {
        None => None,
        Some(Address::Registry(address)) => {
            let registry = Registry::new(address, credentials, Arc::clone(budget))
                .context("set up the registry client")?;
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
fn fingerprint(selection: &Selection, channel: &Channel, allow_unverified: bool) -> String {
    let (channel, selection) = (channel.display(), selection.fingerprint());
    format!("2 {channel} {selection} {allow_unverified}")
}
