//! Puts a run together: destination, ledger, queue, worker; and takes it through the subdirs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use mirror_channel::channel::{Channel, Location};
use mirror_channel::selection::{Filters, NewerThan, Selection, unmatched};
use mirror_oci::registry::{Address, Credentials};
use mirror_runtime::{Shutdown, clock, process};
use mirror_worker::spool::{Spool, empty_folder};
use mirror_worker::{Activity, WorkerError};

use crate::guard::{Guard, Sum};
use crate::leases::Leases;
use crate::options::Options;
use crate::parts;
use crate::places::Places;
use crate::progress::{Progress, Screen, Style};
use crate::push_cache::Push;
use crate::report::Report;
use crate::run::Run;
use crate::subdirs::{Ended, Synced};
use crate::summary::{Deed, SubdirSummary, Summary};
use crate::{crew, push_cache, undistributable};

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
    /// The login at the registry that is read from.
    pub source_credentials: Option<Credentials>,
    pub report: Option<PathBuf>,
    pub guard: Guard,
    pub options: Options,
    /// What is pushed, where this is `push-cache`.
    pub push: Option<Push>,
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
    let deed = match (&request.push, registry) {
        (Some(_), _) => Deed::PushCache,
        (None, Some(Address::Channel(_))) => Deed::PullCache,
        (None, _) => Deed::Mirror,
    };
    let mut summary = Summary {
        deed,
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
        source_credentials,
        guard,
        options,
        push,
        ..
    } = request;
    let name = process::name("conda-oci");
    let redis = tokio::select! {
        biased;
        () = shutdown.requested() => return Ok((Ended::default(), Ok(()))),
        redis = parts::shared(&options) => redis?,
    };
    let budget = parts::budget(&options, redis.as_ref(), &name);
    let fetcher = parts::fetcher(&options, &budget)?;
    let names = [channel.name.as_str(), natural_name.as_str()];
    filters.undistributable = tokio::select! {
        biased;
        () = shutdown.requested() => return Ok((Ended::default(), Ok(()))),
        names = undistributable::names(names, undistributable.as_deref(), &fetcher) => names?,
    };
    let sources = Arc::new(parts::sources(
        fetcher,
        &channel,
        source_credentials,
        (&options, credentials.as_ref()),
        &budget,
    ));
    let selection = Arc::new(Selection::new(&filters, clock::now_ms())?);

    if let (Location::Folder(folder), None) = (&channel.location, &push) {
        let shown = folder.display();
        anyhow::ensure!(
            folder.is_dir(),
            "the channel {shown} is no folder; is its path spelled right?"
        );
    }
    let places = Places::of(&options, &channel, push.is_some())?;
    let ledger = match (redis, &options.registry) {
        (Some(redis), Some(registry)) if !options.dry_run => {
            Arc::new(redis.ledger(&registry.to_string(), &channel.name))
        }
        _ => match &push {
            Some(_) => {
                let command = parts::command("push-cache", &channel, &options);
                let opening = push_cache::open_ledger(&places.ledger, &command, options.dry_run);
                tokio::select! {
                    biased;
                    () = shutdown.requested() => return Ok((Ended::default(), Ok(()))),
                    ledger = opening => ledger?,
                }
            }
            None => {
                let command = parts::command("mirror", &channel, &options);
                parts::open_ledger(&places.ledger, &command, options.dry_run).await?
            }
        },
    };
    let spool = Spool::open(places.spool.join("files"), options.spool_size)?;
    // Indexes go beside the packages: they are as large and as short-lived.
    let scratch = places.spool.join("indexes");
    empty_folder(&scratch)?;

    let (queue, broker) = tokio::select! {
        biased;
        () = shutdown.requested() => return Ok((Ended::default(), Ok(()))),
        queue = parts::queue(&options) => queue?,
    };

    let activity = Arc::new(Activity::default());
    let run = Run {
        fingerprint: parts::fingerprint(&selection, &channel, &options),
        has_credentials: credentials.is_some(),
        destination: parts::destination(&options, credentials, &budget)?.map(Arc::new),
        ledger,
        queue,
        broker,
        sources,
        progress: Progress::new(Arc::clone(&activity)),
        report,
        scratch,
        // Its own: a worker that gives up stops this run and no other.
        shutdown: shutdown.child(),
        name,
        options,
        channel,
        selection,
        guard,
        measured: Sum::default(),
        admitted: Sum::default(),
        leases: Leases::default(),
        // Of the newest versions among the recent, others are the newest when some are no longer recent.
        selection_slides: filters.latest.is_some()
            && matches!(filters.newer_than, Some(NewerThan::Age(_))),
        push,
    };
    let synced = Synced::default();
    let worked = tokio::select! {
        worked = crew::work(&run, spool, activity, &synced) => worked,
        () = run.progress.show(style, screen, &*run.queue) => unreachable!("the display does not end by itself"),
    };
    let mut ended = synced.finish();
    if let Some(push) = &run.push
        && !shutdown.is_requested()
    {
        push.missing(&mut ended);
        return Ok((ended, worked));
    }
    if !shutdown.is_requested() && !ended.is_cut_off && run.options.repair.is_none() {
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
