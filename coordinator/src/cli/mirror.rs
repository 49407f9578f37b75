//! The options of `conda-oci mirror`, the same on the command line and in a configuration file.

use std::path::PathBuf;

use clap::Args;
use mirror_runtime::settings::Hidden;
use mirror_runtime::settings::units::{Count, Size, Span, Whole};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::State;
use super::run::RunArgs;

/// `conda-oci mirror`.
#[derive(Debug, Args)]
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

    /// Channel to mirror: a name, an http(s) URL, or a folder (./path or file://), with or without /label/NAME; or a mirror of one: oci://host/path, oci+http://host/path (plain), or oci:FOLDER
    #[arg(short, long, value_name = "CHANNEL", help_heading = "What to mirror")]
    pub channel: Option<String>,

    /// Where channel names live.
    // Addresses are read when the run is put together: an error of the parser would show a password in them.
    #[arg(
        long,
        value_name = "URL",
        help = "Where channel names live [default: https://conda.anaconda.org]",
        help_heading = "What to mirror"
    )]
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
    pub latest: Option<Count>,

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

    /// Annotations of every manifest.
    // Said in an attribute, as rustdoc takes the address for a link.
    #[arg(
        long = "annotation",
        value_name = "KEY=VALUE",
        help = "Annotation of every manifest, key=value, repeatable, such as org.opencontainers.image.source=https://github.com/me/mirror",
        help_heading = "Where to"
    )]
    #[serde(rename = "annotation", deserialize_with = "one_or_many")]
    pub annotations: Vec<String>,

    /// Send blobs in pieces of at most this size, for a registry that takes no more in one request
    #[arg(long, value_name = "SIZE", help_heading = "Where to")]
    pub max_chunk: Option<Size>,

    /// Believe any certificate of the registry; whoever is on the way can then read the login
    #[arg(
        long,
        num_args = 0,
        default_missing_value = "true",
        help_heading = "Where to"
    )]
    pub insecure_skip_tls_verify: Option<bool>,

    /// Transfers at once [default: 16]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub workers: Option<Count>,

    /// Most writes a minute at the registry [default: 2000 at ghcr.io, else unlimited]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub max_writes_per_minute: Option<Count>,

    /// Most reads a minute at the registry [default: unlimited]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub max_reads_per_minute: Option<Count>,

    /// Stop before the first download if more files than this are to be mirrored
    #[arg(long, value_name = "N", help_heading = "How")]
    pub max_files: Option<Whole>,

    /// Stop before the first download if more bytes than this are to be mirrored
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    pub max_bytes: Option<Size>,

    /// Tries of a build in one run before it counts as failed [default: 8]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub attempts: Option<Count>,

    /// Longest silence of the channel, before an answer and within it [default: 60s]
    #[arg(long, value_name = "SPAN", help_heading = "How")]
    pub read_timeout: Option<Span>,

    /// Also mirror files whose records have neither sha256 nor md5, as they come
    #[arg(
        long,
        num_args = 0,
        default_missing_value = "true",
        help_heading = "How"
    )]
    pub allow_unverified: Option<bool>,

    /// How often a long run publishes what it has so far [default: 6h]
    #[arg(long, value_name = "SPAN", help_heading = "How")]
    pub publish_every: Option<Span>,

    /// Publish even if the index loses more than 10 % and 20 records, or all
    #[arg(
        long,
        num_args = 0,
        default_missing_value = "true",
        help_heading = "How"
    )]
    pub allow_shrink: Option<bool>,

    /// Where what is done is remembered.
    // Said in an attribute, as rustdoc takes brackets for links.
    #[arg(
        long,
        value_name = "DIR|URL",
        help = "Folder of the ledgers, which remember what is done, or the Redis that workers elsewhere share: redis[s]://[user:password@]host[:port] [default: ~/.local/state/conda-oci]",
        help_heading = "How"
    )]
    pub state: Option<State>,

    /// The broker that workers elsewhere take the transfers from.
    #[arg(
        long,
        value_name = "URL",
        help = "Broker from which workers elsewhere (conda-oci-worker) take the transfers; needs a --state they share: amqp[s]://user:password@host[:port][/vhost]",
        help_heading = "With workers elsewhere"
    )]
    pub queue: Option<Hidden>,

    /// Name of the queue, which keeps mirrors on one broker apart [default: conda-oci]
    #[arg(long, value_name = "NAME", help_heading = "With workers elsewhere")]
    pub queue_name: Option<String>,

    /// Certificates (PEM) to trust besides the system's: at the registry, the channel, the broker and Redis
    #[arg(long, value_name = "FILE", help_heading = "Where to")]
    pub ca_file: Option<PathBuf>,

    /// The folders that are mirrored from or to are seen by all workers under the same paths
    #[arg(
        long,
        num_args = 0,
        default_missing_value = "true",
        help_heading = "With workers elsewhere"
    )]
    pub shared_path: Option<bool>,

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

    /// Write a JSON report with the outcome of every file; a pipe or /dev/stdout is written to when the run is over
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

/// `newer-than = 2026-01-31` is a date of TOML's own.
fn text_or_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a date, or an age such as \"30d\"")]
    enum Given {
        Text(String),
        Date(toml::value::Datetime),
    }
    match Given::deserialize(deserializer)? {
        Given::Text(text) => Ok(Some(text)),
        Given::Date(date) if date.date.is_some() => Ok(Some(date.to_string())),
        Given::Date(_) => Err(Error::custom(
            "expected a date such as 2026-01-31, or an age such as \"30d\"; this is a time of day",
        )),
    }
}

/// `subdir = "noarch"` and `subdir = ["linux-64", "noarch"]` are both understood.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text, or a list of texts")]
    enum Given {
        One(String),
        Many(Vec<String>),
    }
    match Given::deserialize(deserializer)? {
        Given::One(one) => Ok(vec![one]),
        Given::Many(many) if many.is_empty() => Err(Error::custom(
            "an empty list says nothing; leave the key out for what [defaults] or the program has",
        )),
        Given::Many(many) => Ok(many),
    }
}
