//! The options of `conda-oci mirror`, the same on the command line and in a configuration file.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde::de::Deserializer;

use super::run::RunArgs;
use super::units::{Size, Span};

const EXAMPLES: &str = "\
Examples:
  What would be mirrored, without a registry:
    conda-oci mirror --channel conda-forge --package zlib --dry-run

  One package of conda-forge into ghcr.io/myorg (ORAS_USER and ORAS_PASS hold the login):
    conda-oci mirror --channel conda-forge --package zlib --user myorg

  Two subdirs of a channel into a registry on this machine:
    conda-oci mirror -c https://prefix.dev/conda-forge -s linux-64 -s noarch \\
      --registry http://127.0.0.1:5000/ns

  The two newest versions of everything with an MIT licence, but nothing for CUDA or over 100 MB:
    conda-oci mirror -c conda-forge -p '*[license=MIT]' --latest 2 --exclude 'cuda*' \\
      --max-size 100MB --registry harbor.example/conda

  One version, or a range of them:
    conda-oci mirror -c conda-forge -p zlib@1.3.1 -p 'python >=3.12,<3.14' --user myorg

  A channel folder into a folder of OCI image layouts, no registry at all:
    conda-oci mirror -c ./my-channel --registry oci:./mirror

  All the mirrors of a file, one after another:
    conda-oci mirror --config mirrors.toml

Packages are named by a name (zlib), a glob ('py*'), a name and a version (zlib@1.3.1), or a conda
MatchSpec ('zlib >=1.2.12,<2'). Quote what the shell would read.

A configuration file has the options under their long names:
    [defaults]
    registry = \"ghcr.io/myorg\"
    [[mirror]]
    channel = \"conda-forge\"
    subdir = [\"linux-64\", \"noarch\"]
    package = [\"python >=3.12\", \"zlib\"]
    latest = 3

Run the same command again after an interruption: it goes on where it stopped.

Exit codes: 0 all well, 1 some files failed, 2 could not run, 130/143 interrupted.";

/// `conda-oci mirror`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MirrorCommand {
    #[command(flatten)]
    pub mirror: MirrorArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// One mirror, as far as somebody said; what is left open has a default.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MirrorArgs {
    /// What `--only` calls it. Files only.
    #[arg(skip)]
    pub name: Option<String>,

    /// Channel to mirror: a name, an http(s) URL, or a folder (./path or file://), with or without /label/NAME
    #[arg(
        short,
        long,
        value_name = "CHANNEL",
        required_unless_present = "config",
        help_heading = "What to mirror"
    )]
    pub channel: Option<String>,

    /// Where channel names live [default: https://conda.anaconda.org]
    // Addresses are read when the run is put together: an error of the parser would show a password in them.
    #[arg(long, value_name = "URL", help_heading = "What to mirror")]
    pub channel_base: Option<String>,

    /// Name of the mirrored channel, instead of the one its address gives
    #[arg(long = "as", value_name = "NAME", help_heading = "What to mirror")]
    #[serde(rename = "as")]
    pub rename: Option<String>,

    /// Subdir to mirror, repeatable; noarch comes along [default: every known one that the channel serves]
    #[arg(
        short,
        long = "subdir",
        value_name = "SUBDIR",
        help_heading = "What to mirror"
    )]
    #[serde(rename = "subdir", deserialize_with = "one_or_many")]
    pub subdirs: Vec<String>,

    /// Packages to mirror: a name, a glob, name@version or a MatchSpec, repeatable; `all` or none for all
    #[arg(
        short,
        long = "package",
        value_name = "SPEC",
        help_heading = "What to mirror"
    )]
    #[serde(rename = "package", deserialize_with = "one_or_many")]
    pub packages: Vec<String>,

    /// Packages never to mirror, in the same forms, repeatable; they leave the published index as well
    #[arg(long = "exclude", value_name = "SPEC", help_heading = "What to mirror")]
    #[serde(rename = "exclude", deserialize_with = "one_or_many")]
    pub excluded: Vec<String>,

    /// Only the newest N versions of each name, in each subdir, of what the other options select
    #[arg(long, value_name = "N", help_heading = "What to mirror")]
    pub latest: Option<NonZeroU32>,

    /// Only what was built since a date (2026-01-31) or within an age (30d, 2w, 1y)
    #[arg(long, value_name = "DATE|AGE", help_heading = "What to mirror")]
    #[serde(deserialize_with = "text_or_date")]
    pub newer_than: Option<String>,

    /// Only files of at most this size
    #[arg(long, value_name = "SIZE", help_heading = "What to mirror")]
    pub max_size: Option<Size>,

    /// Only these archive formats: conda, tar.bz2 [default: both]
    #[arg(
        long,
        value_name = "FORMATS",
        value_delimiter = ',',
        help_heading = "What to mirror"
    )]
    #[serde(deserialize_with = "one_or_many")]
    pub formats: Vec<String>,

    /// List of packages that may not be passed on, or `none` [default: conda-forge's own for conda-forge]
    #[arg(long, value_name = "URL|FILE|none", help_heading = "What to mirror")]
    pub undistributable: Option<String>,

    /// Destination: host/namespace, host:port/namespace, https://…, http://… (plain only when written so), or oci:FOLDER
    #[arg(
        long,
        value_name = "REGISTRY",
        conflicts_with = "user",
        help_heading = "Where to"
    )]
    pub registry: Option<String>,

    /// Short for --registry ghcr.io/NAME
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub user: Option<String>,

    /// Transfers at once [default: 16]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub workers: Option<NonZeroUsize>,

    /// Most writes a minute at the registry [default: 2000 at ghcr.io, else unlimited]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub max_writes_per_minute: Option<NonZeroU32>,

    /// Stop before the first download if more files than this are to be mirrored
    #[arg(long, value_name = "N", help_heading = "How")]
    pub max_files: Option<u64>,

    /// Stop before the first download if more bytes than this are to be mirrored
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    pub max_bytes: Option<Size>,

    /// Tries of a build in one run before it counts as failed [default: 8]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub attempts: Option<NonZeroU32>,

    /// Longest silence of the channel, before an answer and within it [default: 60s]
    #[arg(long, value_name = "SPAN", help_heading = "How")]
    pub read_timeout: Option<Span>,

    /// Also mirror files whose records have neither sha256 nor md5, as they come
    #[arg(long, help_heading = "How")]
    pub allow_unverified: bool,

    /// How often a long run publishes what it has so far [default: 6h]
    #[arg(long, value_name = "SPAN", help_heading = "How")]
    pub publish_every: Option<Span>,

    /// Publish even if the index loses more than 10 % of its records, or all
    #[arg(long, help_heading = "How")]
    pub allow_shrink: bool,

    /// Folder of the ledgers, which remember what is done [default: ~/.local/state/conda-oci]
    #[arg(long, value_name = "DIR", help_heading = "How")]
    pub state: Option<PathBuf>,

    /// Folder for files in transit [default: `spool` in the state folder]
    #[arg(long, value_name = "DIR", help_heading = "How")]
    pub spool: Option<PathBuf>,

    /// Most bytes of files in transit; must hold the largest package [default: 20GB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    pub spool_size: Option<Size>,

    /// Most bytes that the info/ of a package may unpack to [default: 128MiB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    pub max_info_size: Option<Size>,

    /// Most bytes that a whole .tar.bz2 may unpack to [default: 64GiB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    pub max_unpacked_size: Option<Size>,

    /// Write a JSON report with the outcome of every file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

impl MirrorArgs {
    /// These options where given, else those of `under`. Exclusions add up: leaving one out by accident would bring
    /// back what must not be passed on.
    pub(crate) fn over(mut self, under: Self) -> Self {
        let list = |over: Vec<String>, under: Vec<String>| match over.is_empty() {
            true => under,
            false => over,
        };
        // Two spellings of one option: the one given last counts alone.
        let (registry, user) = match (&self.registry, &self.user) {
            (None, None) => (under.registry, under.user),
            _ => (self.registry.take(), self.user.take()),
        };
        let mut excluded = under.excluded;
        excluded.extend(self.excluded);
        Self {
            name: self.name.or(under.name),
            channel: self.channel.or(under.channel),
            channel_base: self.channel_base.or(under.channel_base),
            rename: self.rename.or(under.rename),
            subdirs: list(self.subdirs, under.subdirs),
            packages: list(self.packages, under.packages),
            excluded,
            latest: self.latest.or(under.latest),
            newer_than: self.newer_than.or(under.newer_than),
            max_size: self.max_size.or(under.max_size),
            formats: list(self.formats, under.formats),
            undistributable: self.undistributable.or(under.undistributable),
            registry,
            user,
            workers: self.workers.or(under.workers),
            max_writes_per_minute: self.max_writes_per_minute.or(under.max_writes_per_minute),
            max_files: self.max_files.or(under.max_files),
            max_bytes: self.max_bytes.or(under.max_bytes),
            attempts: self.attempts.or(under.attempts),
            read_timeout: self.read_timeout.or(under.read_timeout),
            allow_unverified: self.allow_unverified || under.allow_unverified,
            publish_every: self.publish_every.or(under.publish_every),
            allow_shrink: self.allow_shrink || under.allow_shrink,
            state: self.state.or(under.state),
            spool: self.spool.or(under.spool),
            spool_size: self.spool_size.or(under.spool_size),
            max_info_size: self.max_info_size.or(under.max_info_size),
            max_unpacked_size: self.max_unpacked_size.or(under.max_unpacked_size),
            report: self.report.or(under.report),
        }
    }
}

/// `newer-than = 2026-01-31` is a date of TOML's own.
fn text_or_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a date, or an age such as \"30d\"")]
    enum Given {
        Text(String),
        Date(toml::value::Datetime),
    }
    Ok(Some(match Given::deserialize(deserializer)? {
        Given::Text(text) => text,
        Given::Date(date) => date.to_string(),
    }))
}

/// `subdir = "noarch"` and `subdir = ["linux-64", "noarch"]` are both understood.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text, or a list of texts")]
    enum Given {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::One(one) => vec![one],
        Given::Many(many) => many,
    })
}
