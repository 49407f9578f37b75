//! `conda-oci-worker`: does the tasks that `conda-oci mirror --queue … --state …` queues, beside any number of others.

mod cli;
mod health;
mod presence;
mod served;
mod service;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use mirror_runtime::telemetry::{Export, Service};
use mirror_runtime::{Shutdown, settings, telemetry};

use cli::{Cli, Settings};

/// It could not run.
const COULD_NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    let matches = settings::from_environment(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let service = Service {
        name: "conda-oci-worker",
        version: env!("CARGO_PKG_VERSION"),
        is_scraped: cli.is_scraped(),
    };
    // Before the runtime: what is exported is sent by threads of its own.
    let export = Export::from_environment(service);
    let export = export.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "error: {error}");
        std::process::exit(COULD_NOT_RUN.into())
    });
    let (verbosity, format) = (cli.log.verbosity(), cli.log.format());
    telemetry::init(verbosity, format, colours, std::io::stderr, &export);
    let export = Arc::new(export);
    let ended = cli
        .settings()
        .and_then(|settings| run(settings, Arc::clone(&export)));
    export.flush();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn run(settings: Settings, export: Arc<Export>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        let shutdown = Shutdown::on_signals()?;
        service::run(settings, export, shutdown).await
    });
    // A decoder on a blocking thread may be at work on what nobody waits for any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}
