//! From what somebody wrote to what a run is asked to do: every option checked, defaults filled in.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use mirror_channel::channel::{Channel, DEFAULT_BASE, Location};
use mirror_channel::name::ArchiveType;
use mirror_channel::selection::{Filters, Selection};
use mirror_channel::subdir;
use mirror_oci::registry::{Address, Credentials};
use mirror_runtime::{Secret, clock};
use mirror_worker::extract::InfoLimits;
use url::Url;

use super::mirror::{MirrorArgs, MirrorCommand};
use super::run::RunArgs;
use super::{config, units};
use crate::engine::Request;
use crate::guard::Guard;
use crate::options::Options;
use crate::places;

/// How long transfers in flight may go on after the first interrupt.
const GRACE: Duration = Duration::from_secs(5);
const WORKERS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(8).expect("not zero");
const PUBLISH_EVERY: units::Span = units::Span(Duration::from_secs(6 * 3600));
const READ_TIMEOUT: units::Span = units::Span(Duration::from_secs(60));
const SPOOL_SIZE: units::Size = units::Size(20_000_000_000);

impl MirrorCommand {
    /// The runs that were asked for, one after another.
    ///
    /// # Errors
    /// When something cannot be used as written, before anything is touched; the text says what to write instead.
    pub(crate) fn requests(self) -> anyhow::Result<Vec<Request>> {
        let Self { mirror, run } = self;
        let credentials = credentials()?;
        let mirrors = match &run.config {
            None => vec![mirror],
            Some(file) => {
                let of_file = config::read(file, &run.only)?;
                of_file
                    .into_iter()
                    .map(|under| mirror.clone().over(under))
                    .collect()
            }
        };
        let several = mirrors.len() > 1;
        mirrors
            .into_iter()
            .map(|mirror| {
                let named = mirror.name.clone().or_else(|| mirror.channel.clone());
                let request = request(mirror, &run, credentials.clone());
                match named.filter(|_| several) {
                    Some(name) => request.with_context(|| {
                        format!("mirror `{}`", mirror_runtime::redact::text(&name))
                    }),
                    None => request,
                }
            })
            .collect()
    }
}

fn request(
    mirror: MirrorArgs,
    run: &RunArgs,
    credentials: Option<Credentials>,
) -> anyhow::Result<Request> {
    let base = base(mirror.channel_base.as_deref().unwrap_or(DEFAULT_BASE))?;
    let given = mirror.channel.clone().context("--channel is missing")?;
    let channel = Channel::parse(&given, &base, mirror.rename.as_deref())?;
    let natural = Channel::parse(&given, &base, None);
    if matches!(channel.location, Location::Http(_)) && Path::new(&given).is_dir() {
        tracing::warn!("`{given}` is taken for a channel's name; for the folder write ./{given}");
    }
    for name in &mirror.subdirs {
        anyhow::ensure!(
            subdir::is_known(name),
            "`{name}` is no conda subdir; known are {}",
            subdir::known().join(", ")
        );
    }
    let registry = destination(mirror.registry.as_deref(), mirror.user.as_deref())?;
    anyhow::ensure!(
        registry.is_some() || run.dry_run,
        "no destination: add --registry host[:port]/namespace or --registry oci:FOLDER, --user NAME for \
         ghcr.io/NAME, or --dry-run to see what would be done"
    );
    let filters = Filters {
        newer_than: match &mirror.newer_than {
            None => None,
            Some(text) => Some(text.parse()?),
        },
        max_size: mirror.max_size.map(|size| size.0),
        latest: mirror.latest,
        formats: formats(&mirror.formats)?,
        packages: mirror.packages,
        excluded: mirror.excluded,
        undistributable: Vec::new(),
    };
    let read_timeout = mirror.read_timeout.unwrap_or(READ_TIMEOUT).0;
    anyhow::ensure!(
        !read_timeout.is_zero(),
        "--read-timeout leaves the channel no time to answer; 60s is usual"
    );
    // A pattern that means nothing is said before any run begins.
    Selection::new(&filters, clock::now_ms())?;
    let state = match mirror.state {
        Some(state) => state,
        None => places::default_state()?,
    };
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
        natural_name: natural.map_or_else(|_| channel.name.clone(), |natural| natural.name),
        channel,
        filters,
        undistributable: mirror.undistributable,
        credentials,
        report: mirror.report,
        guard: Guard {
            files: mirror.max_files,
            bytes: mirror.max_bytes.map(|size| size.0),
        },
        options: Options {
            registry,
            subdirs,
            workers: mirror.workers.unwrap_or(WORKERS).get(),
            attempts: mirror.attempts.unwrap_or(ATTEMPTS).get(),
            grace: GRACE,
            max_writes_per_minute: mirror.max_writes_per_minute,
            publish_every: mirror.publish_every.unwrap_or(PUBLISH_EVERY).0,
            allow_shrink: mirror.allow_shrink,
            retry_failed: run.retry_failed,
            dry_run: run.dry_run,
            allow_unverified: mirror.allow_unverified,
            read_timeout,
            spool: mirror.spool.unwrap_or_else(|| state.join("spool")),
            state,
            spool_size: mirror.spool_size.unwrap_or(SPOOL_SIZE).0,
            limits,
        },
    })
}

fn formats(given: &[String]) -> anyhow::Result<Vec<ArchiveType>> {
    let format = |text: &String| match text.trim().trim_start_matches('.') {
        "conda" => Ok(ArchiveType::Conda),
        "tar.bz2" => Ok(ArchiveType::TarBz2),
        other => anyhow::bail!(
            "--formats: `{other}` is no archive format; write conda, tar.bz2, or both with a comma"
        ),
    };
    given.iter().map(format).collect()
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
