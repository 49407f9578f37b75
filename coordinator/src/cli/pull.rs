//! The options of `conda-oci pull-cache`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use mirror_channel::channel::{Channel, DEFAULT_BASE};
use mirror_oci::registry::Address;
use mirror_runtime::settings::units::{Count, Size, Whole};
use url::Url;

use super::check::check;
use super::folder_run::FolderRunArgs;
use super::login::LoginArgs;
use super::mirror::MirrorArgs;
use super::request::{How, request};
use super::said::Said;
use super::{State, shown, source};
use crate::invocation::Turn;
use crate::sync::Purpose;

/// `conda-oci pull-cache`.
#[derive(Debug, Args)]
pub(crate) struct PullCommand {
    /// Channel to pull, by its name in the registry
    #[arg(short, long, value_name = "CHANNEL", help_heading = "What to pull")]
    channel: String,

    /// Mirror to pull from: host/namespace, https://…, http://… (plain only when written so), or oci:FOLDER
    #[arg(
        long,
        value_name = "REGISTRY",
        required_unless_present = "user",
        conflicts_with = "user",
        help_heading = "What to pull"
    )]
    registry: Option<String>,

    /// Short for --registry ghcr.io/NAME
    #[arg(long, value_name = "NAME", help_heading = "What to pull")]
    user: Option<String>,

    #[command(flatten)]
    login: LoginArgs,

    /// Certificates (PEM) to trust besides the system's: at the registry, the broker and Redis
    #[arg(long, value_name = "FILE", help_heading = "What to pull")]
    ca_file: Option<PathBuf>,

    /// Believe any certificate of the registry; whoever is on the way can then read the login
    #[arg(long, help_heading = "What to pull")]
    insecure_skip_tls_verify: bool,

    /// Subdir to pull, repeatable; noarch comes along [default: every known one that the mirror has]
    #[arg(
        short,
        long = "subdir",
        value_name = "SUBDIR",
        help_heading = "What to pull"
    )]
    subdirs: Vec<String>,

    /// Packages to pull: a name, a glob, name@version or a MatchSpec, repeatable; `all` or none for all
    #[arg(
        short,
        long = "package",
        value_name = "SPEC",
        help_heading = "What to pull"
    )]
    packages: Vec<String>,

    /// Packages not to pull, in the same forms, repeatable
    #[arg(long = "exclude", value_name = "SPEC", help_heading = "What to pull")]
    excluded: Vec<String>,

    /// Every version and build, not only the newest of each name and format
    #[arg(long, conflicts_with = "latest", help_heading = "What to pull")]
    all: bool,

    /// The newest N versions of each name with all their builds
    #[arg(long, value_name = "N", help_heading = "What to pull")]
    latest: Option<Count>,

    /// Only what was built since a date (2026-01-31) or within an age (30d, 2w, 1y)
    #[arg(long, value_name = "DATE|AGE", help_heading = "What to pull")]
    newer_than: Option<String>,

    /// Only files of at most this size
    #[arg(long, value_name = "SIZE", help_heading = "What to pull")]
    max_size: Option<Size>,

    /// Only these archive formats: conda, tar.bz2 [default: both]
    #[arg(
        long,
        value_name = "FORMATS",
        value_delimiter = ',',
        help_heading = "What to pull"
    )]
    formats: Vec<String>,

    /// Folder to pull into; the channel is a folder in it
    #[arg(long, value_name = "DIR", help_heading = "Where to")]
    cache_dir: PathBuf,

    /// Stop before the first download if more files than this are to be pulled
    #[arg(long, value_name = "N", help_heading = "How")]
    max_files: Option<Whole>,

    /// Stop before the first download if more bytes than this are to be pulled
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    max_bytes: Option<Size>,

    /// Where what is done is remembered.
    #[arg(
        long,
        value_name = "DIR|URL",
        help = "Folder of the ledgers, or the Redis that workers elsewhere share: redis[s]://[user:password@]host[:port] [default: ~/.local/state/conda-oci]",
        help_heading = "How"
    )]
    state: Option<State>,

    /// Print what would be pulled, change nothing
    #[arg(long, help_heading = "How")]
    dry_run: bool,

    #[command(flatten)]
    pub how: FolderRunArgs,
}

impl PullCommand {
    /// The run that was asked for.
    ///
    /// # Errors
    /// When something cannot be used as written, before anything is touched.
    pub(crate) fn turn(self) -> anyhow::Result<Turn> {
        let said = Said::OnCommandLine;
        let base = std::path::absolute(&self.cache_dir)
            .with_context(|| format!("the folder {}", self.cache_dir.display()))?;
        let registry = self.registry.as_deref();
        let from = super::destination::destination(registry, self.user.as_deref(), said)?;
        let from = from.context("no registry: give --registry or --user")?;
        let title = self.channel.clone();
        // What failed is always tried again: the folder is asked for now.
        let mut how = How::of(Purpose::Mirror, self.dry_run, true, &self.login)?;
        if !how.source_logins.is_given() {
            // The registry that is read from is the user's own.
            how.source_logins = how.logins.clone();
        }
        let channel = match address(&from, &self.channel) {
            Ok(channel) => channel,
            Err(error) => {
                return Ok(Turn {
                    title: title.clone(),
                    name: None,
                    channel: title,
                    request: Err(error),
                });
            }
        };
        let all = self.all;
        let mirror = self.into_mirror();
        let mut checked = check(&mirror, said)?;
        checked.registry = Some(Address::Channel(base));
        checked.filters.newest_build = !all && checked.filters.latest.is_none();
        let request = request(mirror, channel, checked, &how, said)?;
        Ok(Turn {
            title,
            name: None,
            channel: request.channel.name.clone(),
            request: Ok(request),
        })
    }

    fn into_mirror(self) -> MirrorArgs {
        MirrorArgs {
            channel: Some(self.channel),
            subdirs: self.subdirs,
            packages: self.packages,
            excluded: self.excluded,
            latest: self.latest,
            newer_than: self.newer_than,
            max_size: self.max_size,
            formats: self.formats,
            // What a mirror has was passed on already.
            undistributable: Some("none".to_owned()),
            max_files: self.max_files,
            max_bytes: self.max_bytes,
            state: self.state,
            ca_file: self.ca_file,
            insecure_skip_tls_verify: Some(self.insecure_skip_tls_verify),
            ..self.how.of_mirror()
        }
    }
}

/// The channel of this name at a registry or in a folder of image layouts.
fn address(from: &Address, name: &str) -> anyhow::Result<Channel> {
    let spec = match from {
        Address::Registry(registry) => {
            let scheme = match registry.base.scheme() {
                "http" => "oci+http",
                _ => "oci",
            };
            let parts = [registry.namespace.as_str(), name];
            let path: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            format!("{scheme}://{}/{}", registry.host(), path.join("/"))
        }
        Address::Folder(folder) => {
            let channel = folder.join(name);
            source::resolved(&format!("oci:{}", channel.display()))?.0
        }
        Address::Channel(_) => anyhow::bail!("a channel folder is no mirror"),
    };
    let base = Url::parse(DEFAULT_BASE).context("the default base")?;
    Channel::parse(&spec, &base, Some(name)).with_context(|| format!("channel `{}`", shown(name)))
}
