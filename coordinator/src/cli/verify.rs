//! The options of `conda-oci verify`: those of `conda-oci mirror`, and what is looked for.

use clap::{Arg, Args};
use mirror_channel::channel::{Channel, DEFAULT_BASE};
use url::Url;

use super::check::channel_refusal;
use super::login::LoginArgs;
use super::mirror::{MirrorArgs, MirrorCommand};
use super::run::{OutputArgs, RunArgs};
use super::said::Said;
use crate::invocation::Turn;
use crate::sync::Purpose;

/// The ways to call it.
pub(super) const USAGE: &str = "\
conda-oci verify [OPTIONS] --channel <CHANNEL> --registry <REGISTRY>
       conda-oci verify [OPTIONS] --config <FILE>";

/// What stands below its options.
pub(super) const HELP: &str = "\
Examples:
  Is everything there that the index lists?
    conda-oci verify -c conda-forge --user myorg

  Are its bytes right as well? Downloads every package.
    conda-oci verify -c conda-forge --user myorg --deep

  Does it have what the channel has? With the selection of the mirror:
    conda-oci verify -c conda-forge -p 'python >=3.12' --user myorg \\
      --against https://conda.anaconda.org/conda-forge

  Mend what is damaged, and look again:
    conda-oci verify -c conda-forge --user myorg --repair

  A mirror in a folder, for a script (docs/verify.schema.json describes it):
    conda-oci verify -c ./my-channel --registry oci:./mirror --report verify.json

It reads, and writes nothing without --repair. An interrupted run goes on where it stopped when it
is run again; --fresh begins anew. --repair brings what is damaged from the channel again and
writes the index anew; what the channel no longer has leaves the index. Give it the options that
`conda-oci mirror` was given, or --config FILE: what they exclude stays out of the index.

Exit codes:
  0         all is right, after a repair too
  1         something is wrong
  2         could not run
  130, 143  interrupted; the same command goes on";

/// `conda-oci verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyCommand {
    #[command(flatten)]
    mirror: MirrorArgs,

    #[command(flatten)]
    pub depth: Depth,

    /// Compare with this channel as well, and repair from it: a name, an http(s) URL, or a folder
    #[arg(long, value_name = "CHANNEL", help_heading = "What to verify")]
    against: Option<String>,

    /// The mirrors of a file (TOML)
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["channel", "rename", "against"],
        help_heading = "What to mirror"
    )]
    config: Option<std::path::PathBuf>,

    /// Of the file, only the mirrors with this name, channel or mirrored name, repeatable
    #[arg(
        long,
        value_name = "NAME",
        requires = "config",
        conflicts_with = "channel",
        help_heading = "What to mirror"
    )]
    only: Vec<String>,

    #[command(flatten)]
    login: LoginArgs,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// How much is looked at, and what is done about it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Depth {
    /// Also download every blob and compare its bytes with its digest
    #[arg(long, help_heading = "What to verify")]
    pub deep: bool,

    /// Bring what is damaged from the channel again, write the index anew, and look again
    #[arg(long, help_heading = "What to verify")]
    pub repair: bool,

    /// Begin anew, and do not go on where an interrupted run stopped
    #[arg(long, help_heading = "What to verify")]
    pub fresh: bool,
}

/// The help of `--report`, which is not that of a mirror.
pub(super) fn report(report: Arg) -> Arg {
    report.help(
        "Write a JSON report with everything that was found; a pipe or /dev/stdout is written to when the run is over",
    )
}

impl VerifyCommand {
    /// The mirrors to verify, as requests of what a repair would run; and whether they are compared with their channels.
    ///
    /// # Errors
    /// When something cannot be used as written, before anything is touched.
    pub(crate) fn turns(self) -> anyhow::Result<(Vec<Turn>, bool)> {
        let base = self.mirror.channel_base.clone();
        let report = self.mirror.report.clone();
        let run = RunArgs {
            config: self.config,
            only: self.only,
            login: self.login,
            dry_run: false,
            retry_failed: true,
            listen: None,
            output: self.output,
        };
        let command = MirrorCommand {
            mirror: self.mirror,
            run,
        };
        let mut turns = command.turns(Purpose::Mirror)?;
        anyhow::ensure!(
            report.is_none() || turns.len() == 1,
            "--report takes the report of one mirror, and the file has {}; pick one with --only",
            turns.len()
        );
        for request in turns
            .iter_mut()
            .filter_map(|turn| turn.request.as_mut().ok())
        {
            // What a file names is where the mirror reports to.
            request.report.clone_from(&report);
        }
        let Some(against) = self.against else {
            return Ok((turns, false));
        };
        let base = Url::parse(base.as_deref().unwrap_or(DEFAULT_BASE))?;
        for turn in &mut turns {
            if let Ok(request) = &mut turn.request {
                let name = request.channel.name.clone();
                let channel = Channel::parse(&against, &base, Some(&name));
                request.channel =
                    channel.map_err(|error| channel_refusal(error, Said::OnCommandLine))?;
            }
        }
        Ok((turns, true))
    }
}
