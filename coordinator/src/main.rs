//! `conda-oci`: mirrors conda channels into OCI registries.

mod cli;
mod crew;
mod engine;
mod error;
mod guard;
mod invocation;
mod leases;
mod local;
mod look;
mod options;
mod parts;
mod patience;
mod places;
mod plan;
mod progress;
mod publish;
mod push_cache;
mod repair;
mod report;
mod run;
mod subdirs;
mod summary;
mod sync;
mod undistributable;
mod verify;
mod witness;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use mirror_runtime::settings;

use cli::{Cli, Command};
use look::Steer;
use sync::Purpose;

fn main() -> ExitCode {
    let matches = settings::from_environment(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let printed = match cli.command {
        Command::Mirror(command) => return invocation::mirror(*command, Purpose::Mirror),
        Command::Enqueue(command) => return invocation::mirror(*command, Purpose::Enqueue),
        Command::Publish(command) => return invocation::mirror(*command, Purpose::Publish),
        Command::Verify(command) => return verify::verify(*command),
        Command::PushCache(command) => return invocation::push_cache(*command),
        Command::PullCache(command) => return invocation::pull(*command),
        Command::Status(command) => return look::status(*command),
        Command::Failures(command) => return look::failures(*command),
        Command::Retry(command) => return look::retry(*command),
        Command::Pause(command) => return look::steer(*command, Steer::Pause),
        Command::Resume(command) => return look::steer(*command, Steer::Resume),
        Command::Cancel(command) => return look::steer(*command, Steer::Cancel),
        Command::Completions(arguments) => arguments.write(&mut std::io::stdout()),
        Command::Man(arguments) => arguments.write(&mut std::io::stdout()),
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(invocation::COULD_NOT_RUN)
        }
    }
}
