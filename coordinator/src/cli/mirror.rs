//! The arguments of `conda-oci mirror`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use mirror_channel::channel::{Channel, DEFAULT_BASE, Location};
use mirror_channel::subdir;
use mirror_oci::registry::{Address, Credentials};
use mirror_runtime::Secret;
use url::Url;

use super::units;
use crate::engine::Request;
use crate::options::Options;
use crate::places;
use crate::progress::Style;

const EXAMPLES: &str = "\
Examples:
  What would be mirrored, without a registry:
    conda-oci mirror --channel conda-forge --package zlib --dry-run

  One package of conda-forge into ghcr.io/myorg (ORAS_USER and ORAS_PASS hold the login):
    conda-oci mirror --channel conda-forge --package zlib --user myorg

  Two subdirs of a channel into a registry on this machine:
    conda-oci mirror -c https://prefix.dev/conda-forge -s linux-64 -s noarch \\
      --registry http://127.0.0.1:5000/ns

  A channel folder into a folder of OCI image layouts, no registry at all:
    conda-oci mirror -c ./my-channel --registry oci:./mirror

Run the same command again after an interruption: it goes on where it stopped.

Exit codes: 0 all well, 1 some files failed, 2 could not run, 130/143 interrupted.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MirrorArgs {
    /// Channel to mirror: a name, an http(s) URL, or a folder (./path or file://), with or without /label/NAME
    #[arg(short, long, value_name = "CHANNEL", help_heading = "What to mirror")]
    channel: String,

    /// Where channel names live
    // Addresses are read in `request`: an error of the parser here would show a password in them.
    #[arg(long, value_name = "URL", default_value = DEFAULT_BASE, help_heading = "What to mirror")]
    channel_base: String,

    /// Name of the mirrored channel, instead of the one its address gives
    #[arg(long = "as", value_name = "NAME", help_heading = "What to mirror")]
    rename: Option<String>,

    /// Subdir to mirror, repeatable; noarch comes along [default: every known one that the channel serves]
    #[arg(
        short,
        long = "subdir",
        value_name = "SUBDIR",
        help_heading = "What to mirror"
    )]
    subdirs: Vec<String>,

    /// Package to mirror, a name or a glob such as 'py*', repeatable; `all` or none for all
    #[arg(
        short,
        long = "package",
        value_name = "NAME|GLOB",
        help_heading = "What to mirror"
    )]
    packages: Vec<String>,

    /// List of packages that may not be passed on, or `none` [default: conda-forge's own for conda-forge]
    #[arg(long, value_name = "URL|FILE|none", help_heading = "What to mirror")]
    undistributable: Option<String>,

    /// Destination: host/namespace, host:port/namespace, https://…, http://… (plain only when written so), or oci:FOLDER
    #[arg(
        long,
        value_name = "REGISTRY",
        conflicts_with = "user",
        help_heading = "Where to"
    )]
    registry: Option<String>,

    /// Short for --registry ghcr.io/NAME
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    user: Option<String>,

    /// Plan only: print what would be done, change nothing
    #[arg(long, help_heading = "How")]
    dry_run: bool,

    /// Transfers at once
    #[arg(long, value_name = "N", default_value = "16", help_heading = "How")]
    workers: NonZeroUsize,

    /// Most writes a minute at the registry [default: 2000 at ghcr.io, else unlimited]
    #[arg(long, value_name = "N", help_heading = "How")]
    max_writes_per_minute: Option<NonZeroU32>,

    /// Tries of a build in one run before it counts as failed
    #[arg(long, value_name = "N", default_value = "8", help_heading = "How")]
    attempts: NonZeroU32,

    /// Try failed files now, not only an hour after they failed
    #[arg(long, help_heading = "How")]
    retry_failed: bool,

    /// How often a long run publishes what it has so far
    #[arg(long, value_name = "SPAN", default_value = "6h", value_parser = units::span, help_heading = "How")]
    publish_every: Duration,

    /// Longest silence of the channel, before an answer and within it
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = units::span, help_heading = "How")]
    read_timeout: Duration,

    /// Also mirror files whose records have neither sha256 nor md5, as they come
    #[arg(long, help_heading = "How")]
    allow_unverified: bool,

    /// Publish even if the index loses more than 10 % of its records, or all
    #[arg(long, help_heading = "How")]
    allow_shrink: bool,

    /// Folder of the ledgers, which remember what is done [default: ~/.local/state/conda-oci]
    #[arg(long, value_name = "DIR", help_heading = "How")]
    state: Option<PathBuf>,

    /// Folder for files in transit [default: `spool` in the state folder]
    #[arg(long, value_name = "DIR", help_heading = "How")]
    spool: Option<PathBuf>,

    /// Most bytes of files in transit; must hold the largest package
    #[arg(long, value_name = "SIZE", default_value = "20GB", value_parser = units::size, help_heading = "How")]
    spool_size: u64,

    /// Write a JSON report with the outcome of every file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    report: Option<PathBuf>,

    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "debug", help_heading = "Output")]
    pub quiet: bool,

    /// Say every step and request
    #[arg(long, help_heading = "Output")]
    pub debug: bool,
}

/// How long transfers in flight may go on after the first interrupt.
const GRACE: Duration = Duration::from_secs(5);

impl MirrorArgs {
    /// Checks the arguments and adds what the environment says.
    ///
    /// # Errors
    /// When they cannot be used; the text says which and what to write instead.
    pub(crate) fn request(self) -> anyhow::Result<Request> {
        let base = base(&self.channel_base)?;
        let channel = Channel::parse(&self.channel, &base, self.rename.as_deref())?;
        let natural = Channel::parse(&self.channel, &base, None);
        if matches!(channel.location, Location::Http(_)) && Path::new(&self.channel).is_dir() {
            let given = &self.channel;
            tracing::warn!(
                "`{given}` is taken for a channel's name; for the folder write ./{given}"
            );
        }
        for name in &self.subdirs {
            anyhow::ensure!(
                subdir::is_known(name),
                "`{name}` is no conda subdir; known are {}",
                subdir::known().join(", ")
            );
        }
        let registry = destination(self.registry.as_deref(), self.user.as_deref())?;
        anyhow::ensure!(
            registry.is_some() || self.dry_run,
            "no destination: add --registry host[:port]/namespace or --registry oci:FOLDER, --user NAME for \
             ghcr.io/NAME, or --dry-run to see what would be done"
        );
        let state = match self.state {
            Some(state) => state,
            None => places::default_state()?,
        };
        let mut subdirs = self.subdirs;
        subdirs.sort();
        subdirs.dedup();
        Ok(Request {
            natural_name: natural.map_or_else(|_| channel.name.clone(), |natural| natural.name),
            channel,
            packages: self.packages,
            undistributable: self.undistributable,
            credentials: credentials()?,
            report: self.report,
            style: Style::pick(self.quiet),
            options: Options {
                registry,
                subdirs,
                workers: self.workers.get(),
                attempts: self.attempts.get(),
                grace: GRACE,
                max_writes_per_minute: self.max_writes_per_minute,
                publish_every: self.publish_every,
                allow_shrink: self.allow_shrink,
                retry_failed: self.retry_failed,
                dry_run: self.dry_run,
                allow_unverified: self.allow_unverified,
                read_timeout: self.read_timeout,
                spool: self.spool.unwrap_or_else(|| state.join("spool")),
                state,
                spool_size: self.spool_size,
            },
        })
    }
}

fn base(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    url.with_context(|| {
        let given = mirror_runtime::redact::text(text);
        format!("--channel-base `{given}` is no http(s) URL such as {DEFAULT_BASE}")
    })
}

fn destination(registry: Option<&str>, user: Option<&str>) -> anyhow::Result<Option<Address>> {
    Ok(match (registry, user) {
        (Some(registry), _) => Some(registry.parse().context("--registry")?),
        (None, Some(user)) => Some(format!("ghcr.io/{user}").parse().context("--user")?),
        (None, None) => None,
    })
}

/// `ORAS_USER` and `ORAS_PASS`, both or neither.
fn credentials() -> anyhow::Result<Option<Credentials>> {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (read("ORAS_USER"), read("ORAS_PASS")) {
        (Some(username), Some(password)) => Ok(Some(Credentials {
            username,
            password: Secret::new(password),
        })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            anyhow::bail!("ORAS_USER is set and ORAS_PASS is not; set both or neither")
        }
        (None, Some(_)) => {
            anyhow::bail!("ORAS_PASS is set and ORAS_USER is not; set both or neither")
        }
    }
}
