//! One invocation of `conda-oci mirror`: its runs one after another, what they print, the exit code.

mod voice;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mirror_runtime::telemetry::{self, Export, ExportError, SPANS, Service, Verbosity};
use mirror_runtime::{Shutdown, descriptors, listen};
use tracing::Instrument as _;

use crate::cli::{MirrorCommand, OutputArgs, PullCommand, PushCacheCommand};
use crate::engine::{self, Request};
use crate::progress::{Screen, Style};
use crate::summary::Summary;
use crate::sync::Purpose;
use voice::Voice;

/// Some files failed.
pub(crate) const SOME_FAILED: u8 = 1;
/// The run could not be done.
pub(crate) const COULD_NOT_RUN: u8 = 2;

/// One mirror of an invocation.
#[derive(Debug)]
pub(crate) struct Turn {
    /// What messages call it.
    pub title: String,
    /// The name that its file gives it.
    pub name: Option<String>,
    /// Its channel, fit to be shown.
    pub channel: String,
    /// What it is to do, or why that cannot even be tried.
    pub request: anyhow::Result<Request>,
}

/// Runs it to its end, each mirror for this purpose.
pub(crate) fn mirror(command: MirrorCommand, purpose: Purpose) -> ExitCode {
    let outset = Outset::of(&command.run.output, command.run.listen);
    let dry_run = command.run.dry_run;
    outset.run(dry_run, || command.turns(purpose))
}

/// Pulls from a mirror into a channel folder.
pub(crate) fn pull(command: PullCommand) -> ExitCode {
    let outset = Outset::of(&command.how.output, None);
    outset.run(false, || command.turn().map(|turn| vec![turn]))
}

/// Pushes packages of a folder.
pub(crate) fn push_cache(command: PushCacheCommand) -> ExitCode {
    let outset = Outset::of(&command.how.output, None);
    let dry_run = command.dry_run;
    outset.run(dry_run, || command.turns())
}

/// The log, the screen, how it ends and what is exported, before anything is said.
struct Outset {
    screen: Screen,
    voice: Voice,
    export: Result<Arc<Export>, ExportError>,
    /// Where metrics are served.
    listen: Option<SocketAddr>,
}

impl Outset {
    fn of(output: &OutputArgs, listen: Option<SocketAddr>) -> Self {
        let screen = Screen::default();
        let (verbosity, log) = (output.log.verbosity(), output.log.format());
        let colours = std::io::stderr().is_terminal() && !is_colourless();
        // Before the runtime: what is exported is sent by threads of its own.
        let export = Export::from_environment(Service {
            name: "conda-oci",
            version: env!("CARGO_PKG_VERSION"),
            is_scraped: listen.is_some(),
        });
        let export = export.map(Arc::new);
        let none = Export::nothing();
        let used = export.as_deref().unwrap_or(&none);
        telemetry::init(verbosity, log, colours, screen.writer(), used);
        let voice = Voice {
            quiet: verbosity == Verbosity::Quiet,
            json: output.json,
            log,
            several: false,
            has_spoken: false,
        };
        Self {
            screen,
            voice,
            export,
            listen,
        }
    }

    fn run(self, dry_run: bool, turns: impl FnOnce() -> anyhow::Result<Vec<Turn>>) -> ExitCode {
        let Self {
            screen,
            voice,
            export,
            listen,
        } = self;
        let begun = export
            .map_err(anyhow::Error::from)
            .and_then(|export| Ok((export, turns()?)));
        let (export, turns) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                voice.error(&format!("{error:#}"));
                return ExitCode::from(COULD_NOT_RUN);
            }
        };
        run(turns, dry_run, &screen, voice, export, listen)
    }
}

fn run(
    turns: Vec<Turn>,
    dry_run: bool,
    screen: &Screen,
    mut voice: Voice,
    export: Arc<Export>,
    listen: Option<SocketAddr>,
) -> ExitCode {
    voice.several = turns.len() > 1;
    // First of all: the runtime and its signals want descriptors too.
    let workers = match workers(&turns) {
        Ok(workers) => workers,
        Err(error) => {
            voice.error(&format!("{error:#}"));
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            voice.error(&format!("start the runtime: {error}"));
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    let serving = listen.map(|address| (address, Arc::clone(&export)));
    let code = runtime.block_on(all(turns, workers, dry_run, screen, serving, voice));
    // A decoder on a blocking thread may be at work on what nobody waits for any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    export.flush();
    ExitCode::from(code)
}

/// `NO_COLOR`, present and not empty (no-color.org).
fn is_colourless() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Runs every mirror with at most `workers` workers; one that cannot be done does not keep the others from being done.
async fn all(
    turns: Vec<Turn>,
    workers: usize,
    dry_run: bool,
    screen: &Screen,
    serving: Option<(SocketAddr, Arc<Export>)>,
    mut voice: Voice,
) -> u8 {
    let shutdown = match Shutdown::on_signals() {
        Ok(shutdown) => shutdown,
        Err(error) => {
            voice.error(&format!("listen for signals: {error}"));
            return COULD_NOT_RUN;
        }
    };
    if let Some((address, export)) = serving
        && let Err(error) = listen::serve(address, || Ok(()), export, shutdown.child()).await
    {
        voice.error(&error.to_string());
        return COULD_NOT_RUN;
    }
    let mut worst = 0;
    for turn in turns {
        let summary = match turn.request {
            Ok(mut request) => {
                request.options.workers = request.options.workers.min(workers);
                let style = Style::pick(voice.quiet, voice.log);
                let span = tracing::info_span!(target: SPANS, parent: None, "mirror", conda.channel = turn.channel);
                let running = engine::run(request, style, screen, &shutdown).instrument(span);
                match voice.several {
                    true => {
                        let span = tracing::error_span!("mirror", of = turn.title);
                        running.instrument(span).await
                    }
                    false => running.await,
                }
            }
            Err(error) => Summary {
                name: turn.name,
                channel: turn.channel,
                dry_run,
                error: Some(format!("{error:#}")),
                ..Summary::default()
            },
        };
        let mut code = code(&summary, &shutdown);
        if let Err(error) = voice.close(&turn.title, &summary, code) {
            voice.error(&format!(
                "cannot write to standard output: {error}; what was done stays done"
            ));
            code = code.max(COULD_NOT_RUN);
        }
        worst = worst.max(code);
        if shutdown.exit_code().is_some() {
            return worst;
        }
    }
    worst
}

/// How many workers a mirror may have: said once, whatever the number of mirrors.
fn workers(turns: &[Turn]) -> Result<usize, descriptors::TooFew> {
    let requests = turns.iter().filter_map(|turn| turn.request.as_ref().ok());
    match requests.map(|request| request.options.workers).max() {
        Some(most) => descriptors::workers(most),
        None => Ok(1),
    }
}

fn code(summary: &Summary, shutdown: &Shutdown) -> u8 {
    match shutdown.exit_code() {
        Some(code) if summary.interrupted => code,
        _ if summary.is_broken() => COULD_NOT_RUN,
        _ if summary.has_failures() && !summary.dry_run => SOME_FAILED,
        _ => 0,
    }
}
