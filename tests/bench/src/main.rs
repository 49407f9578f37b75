//! The benchmark: what the release build of conda-oci does with requests, bytes and records, beside a
//! bare loop that does the same and nothing else, on this machine, in one run. `tests/bench/run` builds
//! and starts it.
//!
//! A figure by itself says something of a machine; what is compared is measured in turn, several times,
//! and the ratio's median and spread are what counts. Registries are real ones with their storage in
//! memory, ledger and spool of the program are on disk as they are for users, and what the program
//! took is what the kernel counted for its process.

mod bench;
mod machine;
mod measure;
mod proxy;
mod replay;
mod report;
mod send;
mod stats;
mod svg;
mod work;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum as _};

use crate::bench::Bench;
use crate::machine::Machine;
use crate::report::Report;
use crate::work::Workload;

/// Measures conda-oci on this machine, beside bare loops, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "tests/bench/run")]
struct Arguments {
    /// Measure only this, repeatable
    #[arg(long, value_name = "NAME")]
    only: Vec<Workload>,

    /// Scale everything down, to see that it works
    #[arg(long)]
    quick: bool,

    /// Write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the plots into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,

    /// The conda-oci to measure [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// The conda-oci-worker to measure [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    worker: Option<PathBuf>,
}

fn main() -> Result<()> {
    // The baseline of plans runs as a process of its own, as what it is compared with does.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == work::SPARSE) {
        let index = words.next().context("which index")?;
        return work::sparse(index.as_ref());
    }
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(arguments))
}

async fn measure(arguments: Arguments) -> Result<()> {
    let program = built(arguments.program, "conda-oci")?;
    let worker = built(arguments.worker, "conda-oci-worker")?;
    let bench = Bench::new(program, worker, arguments.quick)?;
    let mut report = Report {
        machine: Machine::look(),
        quick: arguments.quick,
        rows: Vec::new(),
        plots: Vec::new(),
    };
    let wanted = match arguments.only.is_empty() {
        true => Workload::value_variants(),
        false => &arguments.only,
    };
    for workload in wanted {
        let started = Instant::now();
        say(&format!("{workload:?} …"));
        let found = workload.measure(&bench).await;
        let found = found.with_context(|| format!("the workload {workload:?}"))?;
        say(&format!(
            "{workload:?}: {:.0} s",
            started.elapsed().as_secs_f64()
        ));
        report.rows.extend(found.rows);
        report.plots.extend(found.plots);
        // What was measured stays, whatever becomes of the rest.
        write(
            &report,
            arguments.json.as_deref(),
            arguments.plots.as_deref(),
        )?;
    }
    let mut out = std::io::stdout().lock();
    out.write_all(report.to_markdown().as_bytes())?;
    Ok(out.flush()?)
}

/// The program that was named, or the one beside this.
fn built(named: Option<PathBuf>, name: &str) -> Result<PathBuf> {
    let program = match named {
        Some(program) => std::path::absolute(program)?,
        None => std::env::current_exe()?.with_file_name(name),
    };
    anyhow::ensure!(
        program.is_file(),
        "{} is not there; start ./tests/bench/run, which builds it",
        program.display()
    );
    Ok(program)
}

fn write(
    report: &Report,
    json: Option<&std::path::Path>,
    plots: Option<&std::path::Path>,
) -> Result<()> {
    if let Some(path) = json {
        let text = report.to_json()?;
        fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    if let Some(folder) = plots {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        for plot in &report.plots {
            let path = folder.join(plot.name).with_extension("svg");
            fs::write(&path, plot.to_svg()).with_context(|| format!("write {}", path.display()))?;
        }
    }
    Ok(())
}

/// How far it is, for whoever waits.
fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{text}");
}
