//! The options of `conda-oci push-cache`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use mirror_channel::channel::{Channel, Location};
use mirror_channel::name::FileName;
use mirror_runtime::settings::units::{Count, Size};

use super::State;
use super::check::{channel_refusal, check, check_name};
use super::folder_run::FolderRunArgs;
use super::login::LoginArgs;
use super::mirror::MirrorArgs;
use super::request::{How, no_destination, request};
use super::said::Said;
use crate::invocation::Turn;
use crate::push_cache::Push;
use crate::sync::Purpose;

/// `conda-oci push-cache`.
#[derive(Debug, Args)]
pub(crate) struct PushCacheCommand {
    /// Channel to push into: its name in the registry
    #[arg(short, long, value_name = "CHANNEL", help_heading = "What to push")]
    pub channel: Option<String>,

    /// Name of the channel in the registry, instead of the one that --channel gives
    #[arg(long = "as", value_name = "NAME", help_heading = "What to push")]
    pub rename: Option<String>,

    /// Folder with the packages, in CHANNEL/SUBDIR or SUBDIR below it; it is only read
    #[arg(
        long,
        value_name = "DIR",
        default_value = "cache",
        help_heading = "What to push"
    )]
    pub cache_dir: PathBuf,

    /// Subdir to push, repeatable; noarch comes along [default: every one that has a folder]
    #[arg(
        short,
        long = "subdir",
        value_name = "SUBDIR",
        help_heading = "What to push"
    )]
    pub subdirs: Vec<String>,

    /// Packages to push: a name, a glob, name@version or a MatchSpec of name, version and build, repeatable [default: all]
    #[arg(
        short,
        long = "package",
        value_name = "SPEC",
        help_heading = "What to push"
    )]
    pub packages: Vec<String>,

    /// Also push what the published index lists
    #[arg(long, alias = "all", help_heading = "What to push")]
    pub push_all: bool,

    /// Also push what has the name of another file of the channel, and publish it in that one's place
    #[arg(long, help_heading = "What to push")]
    pub force: bool,

    /// Push nothing, but take the record of this file, which push-cache added, out of the index; repeatable
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["push_all", "force", "packages"],
        help_heading = "What to push"
    )]
    pub remove: Vec<String>,

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

    #[command(flatten)]
    pub login: LoginArgs,

    /// Annotation of every manifest, key=value, repeatable; give those that the mirror into this channel is given
    #[arg(
        long = "annotation",
        value_name = "KEY=VALUE",
        help_heading = "Where to"
    )]
    pub annotations: Vec<String>,

    /// Send blobs in pieces of at most this size, for a registry that takes no more in one request
    #[arg(long, value_name = "SIZE", help_heading = "Where to")]
    pub max_chunk: Option<Size>,

    /// Certificates (PEM) to trust besides the system's: at the registry, the broker and Redis
    #[arg(long, value_name = "FILE", help_heading = "Where to")]
    pub ca_file: Option<PathBuf>,

    /// Believe any certificate of the registry; whoever is on the way can then read the login
    #[arg(long, help_heading = "Where to")]
    pub insecure_skip_tls_verify: bool,

    /// Print what would be pushed, change nothing
    #[arg(long, help_heading = "How")]
    pub dry_run: bool,

    /// Most writes a minute at the registry [default: 2000 at ghcr.io, else unlimited]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub max_writes_per_minute: Option<Count>,

    /// Most reads a minute at the registry [default: unlimited]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub max_reads_per_minute: Option<Count>,

    /// Where what is done is remembered, as `conda-oci mirror` was given it.
    #[arg(
        long,
        value_name = "DIR|URL",
        help = "Folder of the ledgers, or the Redis that workers elsewhere share; the same as of a mirror into this channel [default: ~/.local/state/conda-oci]",
        help_heading = "How"
    )]
    pub state: Option<State>,

    /// Most bytes that the info/ of a package may unpack to [default: 128MiB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    pub max_info_size: Option<Size>,

    /// Most bytes that a whole .tar.bz2 may unpack to [default: 64GiB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    pub max_unpacked_size: Option<Size>,

    #[command(flatten)]
    pub how: FolderRunArgs,
}

impl PushCacheCommand {
    /// The run that was asked for.
    ///
    /// # Errors
    /// When something cannot be used as written, before anything is touched; the text says what to write instead.
    pub(crate) fn turns(self) -> anyhow::Result<Vec<Turn>> {
        // Whoever calls it wants it now.
        let how = How::of(Purpose::Mirror, self.dry_run, true, &self.login)?;
        let said = Said::OnCommandLine;
        let given = self.channel.as_deref();
        let given = given.context("no channel: give --channel with its name in the registry")?;
        let mirror = self.of_mirror();
        let checked = check(&mirror, said)?;
        anyhow::ensure!(
            checked.registry.is_some() || self.dry_run,
            no_destination(said)
        );
        let channel = Channel::parse(given, &checked.base, self.rename.as_deref());
        let name = channel.map_err(|error| channel_refusal(error, said))?.name;
        check_name(&name, checked.registry.as_ref(), &self.subdirs, said)?;
        let cache_dir = std::path::absolute(&self.cache_dir).with_context(|| {
            format!(
                "resolve the folder {} (--cache-dir)",
                self.cache_dir.display()
            )
        })?;
        let remove = self.remove.iter().map(|file| {
            FileName::parse(file).map_err(|error| anyhow::anyhow!("--remove: {error}"))
        });
        let push = Push {
            cache_dir: cache_dir.clone(),
            all: self.push_all,
            force: self.force,
            narrowed: !self.packages.is_empty(),
            remove: remove.collect::<anyhow::Result<_>>()?,
            found: Default::default(),
        };
        let channel = Channel {
            name,
            location: Location::Folder(cache_dir),
        };
        let mut request = request(mirror, channel, checked, &how, said)?;
        request.push = Some(push);
        Ok(vec![Turn {
            title: request.to_string(),
            name: None,
            channel: request.channel.name.clone(),
            request: Ok(request),
        }])
    }

    fn of_mirror(&self) -> MirrorArgs {
        MirrorArgs {
            channel: self.channel.clone(),
            subdirs: self.subdirs.clone(),
            packages: self.packages.clone(),
            // Whoever pushes packages may pass them on.
            undistributable: Some("none".to_owned()),
            registry: self.registry.clone(),
            user: self.user.clone(),
            annotations: self.annotations.clone(),
            max_chunk: self.max_chunk,
            insecure_skip_tls_verify: Some(self.insecure_skip_tls_verify),
            max_writes_per_minute: self.max_writes_per_minute,
            max_reads_per_minute: self.max_reads_per_minute,
            state: self.state.clone(),
            ca_file: self.ca_file.clone(),
            max_info_size: self.max_info_size,
            max_unpacked_size: self.max_unpacked_size,
            ..self.how.of_mirror()
        }
    }
}
