//! `conda-oci`: mirrors conda channels into OCI registries.

mod cli;
mod crew;
mod descriptors;
mod engine;
mod error;
mod guard;
mod invocation;
mod options;
mod parts;
mod patience;
mod places;
mod plan;
mod progress;
mod publish;
mod report;
mod run;
mod subdirs;
mod summary;
mod sync;
mod undistributable;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let printed = match Cli::parse().command {
        Command::Mirror(command) => return invocation::mirror(*command),
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
