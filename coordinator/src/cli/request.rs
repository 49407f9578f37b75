//! From what somebody wrote to what runs are asked to do: every option checked, defaults filled in.

use std::collections::BTreeSet;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use mirror_channel::channel::{Channel, ChannelError, Location};
use mirror_oci::registry::{Address, Credentials, LoginError, Logins, RegistryAddress, Trust};
use mirror_runtime::settings::units;
use mirror_worker::defaults::{ATTEMPTS, READ_TIMEOUT, SPOOL_SIZE};
use mirror_worker::extract::InfoLimits;

use super::check::{Checked, channel_refusal, check, check_name};
use super::config::{self, Entry};
use super::login::LoginArgs;
use super::mirror::{MirrorArgs, MirrorCommand};
use super::said::Said;
use super::{elsewhere, pick, shown, source};
use crate::engine::Request;
use crate::guard::Guard;
use crate::invocation::Turn;
use crate::options::{Memory, Options};
use crate::parts;
use crate::sync::Purpose;

/// How long transfers in flight may go on after the first interrupt.
const GRACE: Duration = Duration::from_secs(5);
const WORKERS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
const PUBLISH_EVERY: units::Span = units::Span(Duration::from_secs(6 * 3600));

/// What holds for every mirror of the invocation.
pub(super) struct How {
    pub purpose: Purpose,
    pub dry_run: bool,
    pub retry_failed: bool,
    /// At the registry that is pushed to.
    pub logins: Logins,
    /// At the registry that is read from.
    pub source_logins: Logins,
}

impl How {
    /// With the logins of the command line, the environment and the files.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub(super) fn of(
        purpose: Purpose,
        dry_run: bool,
        retry_failed: bool,
        login: &LoginArgs,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            purpose,
            dry_run,
            retry_failed,
            logins: login.logins()?,
            source_logins: Logins::of_source()?,
        })
    }

    /// The logins at the registry that is read from and at the one that is pushed to, each its own.
    fn credentials(
        &self,
        from: Option<&RegistryAddress>,
        to: Option<&RegistryAddress>,
    ) -> Result<[Option<Credentials>; 2], LoginError> {
        let at = |logins: &Logins, of: &RegistryAddress| logins.of(&of.host(), &of.namespace);
        let to_login = to.map(|to| at(&self.logins, to)).transpose()?;
        let is_same = from.map(RegistryAddress::host) == to.map(RegistryAddress::host);
        // What was given outright for one registry goes before what files have for it, for reading as well.
        let given_as_well = is_same && self.logins.is_given() && !self.source_logins.is_given();
        let from_login = match from.filter(|_| !given_as_well) {
            Some(from) => at(&self.source_logins, from)?,
            None => None,
        };
        Ok([from_login, to_login.flatten()])
    }
}

/// A mirror with where its channel was written.
struct Given {
    mirror: MirrorArgs,
    /// As somebody wrote it.
    channel: String,
    /// What relative folders are beside.
    folder: PathBuf,
    said: Said,
}

impl MirrorCommand {
    /// The runs that were asked for, one after another. What is not as it should be outside of the options, such as a
    /// folder that is not there, is the trouble of that run alone.
    ///
    /// # Errors
    /// When something cannot be used as written, before anything is touched; the text says what to write instead.
    pub(crate) fn turns(self, purpose: Purpose) -> anyhow::Result<Vec<Turn>> {
        let Self { mirror, run } = self;
        let how = How::of(purpose, run.dry_run, run.retry_failed, &run.login)?;
        let Some(file) = &run.config else {
            let channel = mirror.channel.clone();
            let given = Given {
                channel: channel.context(
                    "no channel: give --channel with a name, a URL or a folder, or --config FILE with the mirrors",
                )?,
                mirror,
                folder: PathBuf::new(),
                said: Said::OnCommandLine,
            };
            return Ok(vec![turn(given, &how)?]);
        };
        // What is wrong here is not the file's.
        check(&mirror, Said::OnCommandLine)?;
        let mut entries = config::read(file)?;
        for entry in &mut entries {
            let of_file = std::mem::take(&mut entry.mirror);
            entry.mirror = mirror.clone().over(of_file);
        }
        let context = || format!("the configuration {}", file.display());
        let turns = pick::pick(entries, &run.only)
            .and_then(|entries| {
                let turn = |entry| of_file(entry, file, &how);
                entries
                    .into_iter()
                    .map(turn)
                    .collect::<anyhow::Result<Vec<_>>>()
            })
            .with_context(context)?;
        pick::warn_of_contradictions(&turns);
        if how.logins.is_given() {
            one_registry(&turns)?;
        }
        Ok(turns)
    }
}

/// A login that names no registry is for one only.
fn one_registry(turns: &[Turn]) -> anyhow::Result<()> {
    let requests = turns.iter().filter_map(|turn| turn.request.as_ref().ok());
    let hosts: BTreeSet<String> = requests
        .filter_map(|request| match &request.options.registry {
            Some(Address::Registry(registry)) => Some(registry.host()),
            _ => None,
        })
        .collect();
    anyhow::ensure!(
        hosts.len() < 2,
        "ORAS_USER and ORAS_PASS (or --username) are one login, and these mirrors go to {}: each would be shown it; log in \
         to each with `docker login`, or run them one by one with --only",
        hosts.into_iter().collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

fn of_file(entry: Entry, file: &Path, how: &How) -> anyhow::Result<Turn> {
    let named = entry.shown();
    let given = Given {
        mirror: entry.mirror,
        channel: entry.channel,
        folder: file.parent().unwrap_or(Path::new("")).to_owned(),
        said: Said::InFile,
    };
    turn(given, how).with_context(|| format!("mirror `{named}`"))
}

fn turn(given: Given, how: &How) -> anyhow::Result<Turn> {
    let Given {
        mirror,
        channel: written,
        folder,
        said,
    } = given;
    let checked = check(&mirror, said)?;
    anyhow::ensure!(
        checked.registry.is_some() || how.dry_run,
        no_destination(said)
    );
    let name = mirror.name.clone();
    let resolved = mirror.channel.as_deref().unwrap_or(&written);
    let not_there = |error: anyhow::Error| Turn {
        title: shown(name.as_deref().unwrap_or(&written)),
        name: name.clone(),
        channel: shown(&written),
        request: Err(error),
    };
    let (resolved, own_name) = match source::resolved(resolved) {
        Ok(resolved) => resolved,
        Err(error) => return Ok(not_there(error)),
    };
    let rename = mirror.rename.as_deref().or(own_name.as_deref());
    let channel = match Channel::parse(&resolved, &checked.base, rename) {
        Ok(channel) => channel,
        Err(error @ ChannelError::Folder { .. }) => return Ok(not_there(error.into())),
        Err(error) => return Err(channel_refusal(error, said)),
    };
    source::refuse_itself(&channel, checked.registry.as_ref())?;
    check_name(
        &channel.name,
        checked.registry.as_ref(),
        &mirror.subdirs,
        said,
    )?;
    if matches!(channel.location, Location::Http(_)) && folder.join(&written).is_dir() {
        tracing::warn!(
            "`{written}` is taken for a channel's name; for the folder write ./{written}"
        );
    }
    let request = request(mirror, channel, checked, how, said)?;
    Ok(Turn {
        title: match &name {
            Some(name) => format!("{} ({request})", shown(name)),
            None => request.to_string(),
        },
        name,
        channel: request.channel.name.clone(),
        request: Ok(request),
    })
}

pub(super) fn no_destination(said: Said) -> &'static str {
    match said {
        Said::OnCommandLine => {
            "no destination: add --registry host[:port]/namespace or --registry oci:FOLDER, --user NAME for \
             ghcr.io/NAME, or --dry-run to see what would be done"
        }
        Said::InFile => {
            "no destination: it needs `registry` (host[:port]/namespace or oci:FOLDER), or `user` for ghcr.io/NAME; \
             --registry and --user may also be given beside --config, or --dry-run to see what would be done"
        }
    }
}

/// The run that was asked for, with all that is left open filled in.
///
/// # Errors
/// When options do not go together.
pub(super) fn request(
    mirror: MirrorArgs,
    channel: Channel,
    checked: Checked,
    how: &How,
    said: Said,
) -> anyhow::Result<Request> {
    let given = mirror.channel.as_deref().unwrap_or_default();
    let natural = Channel::parse(given, &checked.base, None);
    let memory = elsewhere::memory(&mirror)?;
    let queue = elsewhere::queue(&mirror, &memory, &channel, checked.registry.as_ref(), said)?;
    anyhow::ensure!(
        how.purpose != Purpose::Enqueue || queue.is_some(),
        "no queue: give --queue amqp://user:password@host, or set CONDA_OCI_QUEUE"
    );
    let spool = mirror.spool.or_else(|| match &memory {
        Memory::Folder(state) => Some(state.join("spool")),
        Memory::Redis(_) => None,
    });
    let to = match &checked.registry {
        Some(Address::Registry(to)) => Some(to),
        _ => None,
    };
    let from = parts::registry_of(&channel);
    let [source_credentials, credentials] = how.credentials(from.as_ref(), to)?;
    let mut subdirs = mirror.subdirs;
    subdirs.sort();
    subdirs.dedup();
    let mut limits = InfoLimits::default();
    if let Some(units::Size(bytes)) = mirror.max_info_size {
        limits.info_bytes = bytes;
    }
    if let Some(units::Size(bytes)) = mirror.max_unpacked_size {
        limits.unpacked_bytes = bytes;
    }
    Ok(Request {
        name: mirror.name,
        natural_name: natural.map_or_else(|_| channel.name.clone(), |natural| natural.name),
        channel,
        filters: checked.filters,
        undistributable: mirror.undistributable,
        credentials,
        source_credentials,
        report: mirror.report,
        guard: Guard {
            files: mirror.max_files.map(|files| files.0),
            bytes: mirror.max_bytes.map(|size| size.0),
        },
        options: Options {
            purpose: how.purpose,
            registry: checked.registry,
            subdirs,
            workers: mirror.workers.map_or(WORKERS, workers).get(),
            attempts: mirror.attempts.map_or(ATTEMPTS, |count| count.0).get(),
            grace: GRACE,
            max_writes_per_minute: mirror.max_writes_per_minute.map(|count| count.0),
            max_reads_per_minute: mirror.max_reads_per_minute.map(|count| count.0),
            publish_every: mirror.publish_every.unwrap_or(PUBLISH_EVERY).0,
            allow_shrink: mirror.allow_shrink.unwrap_or(false),
            retry_failed: how.retry_failed,
            dry_run: how.dry_run,
            annotations: checked.annotations,
            trust: Trust {
                ca_file: mirror.ca_file,
                skip_verification: mirror.insecure_skip_tls_verify.unwrap_or(false),
            },
            max_chunk: mirror.max_chunk.and_then(|size| NonZeroU64::new(size.0)),
            allow_unverified: mirror.allow_unverified.unwrap_or(false),
            read_timeout: mirror.read_timeout.map_or(READ_TIMEOUT, |span| span.0),
            spool,
            memory,
            queue,
            spool_size: mirror.spool_size.map_or(SPOOL_SIZE, |size| size.0),
            limits,
            repair: None,
        },
        push: None,
    })
}

fn workers(count: units::Count) -> NonZeroUsize {
    NonZeroUsize::try_from(count.0).unwrap_or(NonZeroUsize::MAX)
}
