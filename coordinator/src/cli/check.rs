//! What can be told wrong from the options alone, without a look at any folder or host.

use std::collections::BTreeMap;

use anyhow::Context as _;
use mirror_channel::channel::{ChannelError, DEFAULT_BASE};
use mirror_channel::name::ArchiveType;
use mirror_channel::selection::{Filters, NewerThan, Origin, Selection, SelectionError};
use mirror_channel::subdir;
use mirror_oci::annotation::annotations;
use mirror_oci::layout::SubdirLayout;
use mirror_oci::registry::Address;
use mirror_runtime::clock;
use url::Url;

use super::config::refuse_tilde;
use super::destination::destination;
use super::mirror::MirrorArgs;
use super::said::Said;
use super::shown;

/// Options that were understood.
#[derive(Debug)]
pub(super) struct Checked {
    pub base: Url,
    pub registry: Option<Address>,
    pub filters: Filters,
    pub annotations: BTreeMap<String, String>,
}

/// Checks every option that somebody gave.
///
/// # Errors
/// The option, as `said` spells it, with what to write instead.
pub(super) fn check(mirror: &MirrorArgs, said: Said) -> anyhow::Result<Checked> {
    refuse_tilde(mirror, said)?;
    let base = base(mirror.channel_base.as_deref().unwrap_or(DEFAULT_BASE), said)?;
    for name in &mirror.subdirs {
        anyhow::ensure!(
            subdir::is_known(name),
            "{}: `{}` is no conda subdir; known are {}",
            said.key("subdir"),
            shown(name),
            subdir::known().join(", ")
        );
    }
    let registry = destination(mirror.registry.as_deref(), mirror.user.as_deref(), said)?;
    let newer_than = mirror.newer_than.as_deref().map(str::parse::<NewerThan>);
    let filters = Filters {
        newer_than: newer_than
            .transpose()
            .map_err(|error| in_words_of(error, said))?,
        max_size: mirror.max_size.map(|size| size.0),
        latest: mirror.latest.map(|count| count.0),
        newest_build: false,
        formats: formats(&mirror.formats, said)?,
        packages: mirror.packages.clone(),
        excluded: mirror.excluded.clone(),
        undistributable: Vec::new(),
    };
    if let Some(span) = mirror.read_timeout {
        anyhow::ensure!(
            !span.0.is_zero(),
            "{} leaves the channel no time to answer; 60s is usual",
            said.key("read-timeout")
        );
    }
    // A pattern that means nothing is said before any run begins.
    Selection::new(&filters, clock::now_ms()).map_err(|error| in_words_of(error, said))?;
    if let Some(size) = mirror.max_chunk {
        anyhow::ensure!(
            size.0 > 0,
            "{} leaves nothing to send; registries take 4MiB at the least",
            said.key("max-chunk")
        );
    }
    let annotations = annotations(&mirror.annotations)
        .map_err(|error| anyhow::anyhow!("{}: {error}", said.key("annotation")))?;
    Ok(Checked {
        base,
        registry,
        filters,
        annotations,
    })
}

/// Whether registries can hold a channel of this name: else nothing of any subdir could be mirrored.
///
/// # Errors
/// When they cannot; the text says how to give it another name.
pub(super) fn check_name(
    channel: &str,
    registry: Option<&Address>,
    subdirs: &[String],
    said: Said,
) -> anyhow::Result<()> {
    let (host, namespace) = match registry {
        Some(Address::Registry(registry)) => (registry.host(), registry.namespace.as_str()),
        Some(Address::Folder(_) | Address::Channel(_)) | None => (String::new(), ""),
    };
    let every = ["noarch".to_owned()];
    for subdir in subdirs.iter().chain(&every) {
        let layout = SubdirLayout::new(&host, namespace, channel, subdir);
        layout.map(|_| ()).with_context(|| {
            format!(
                "the channel cannot be mirrored under the name `{}`; give another with {}",
                shown(channel),
                said.with("as", "NAME")
            )
        })?;
    }
    Ok(())
}

/// A selection's complaint, which speaks of the command line.
fn in_words_of(error: SelectionError, said: Said) -> anyhow::Error {
    let (key, text, problem) = match (said, error) {
        (Said::OnCommandLine, error) => return error.into(),
        (_, SelectionError::NewerThan { text, problem }) => {
            ("newer-than", text, problem.to_string())
        }
        (
            _,
            SelectionError::Pattern {
                origin,
                pattern,
                problem,
            },
        ) => match origin {
            Origin::Package => ("package", pattern, problem.to_string()),
            Origin::Exclude | Origin::Undistributable => ("exclude", pattern, problem.to_string()),
        },
    };
    anyhow::anyhow!("{} {text:?} {problem}", said.key(key))
}

/// A channel's complaint, likewise.
pub(super) fn channel_refusal(error: ChannelError, said: Said) -> anyhow::Error {
    match (said, error) {
        (Said::InFile, ChannelError::Unnamed(given)) => anyhow::anyhow!(
            "the channel {given:?} has no name of its own; give the mirrored name with {}",
            said.with("as", "NAME")
        ),
        (Said::InFile, ChannelError::Inside { given, last }) => anyhow::anyhow!(
            "the channel {given:?} ends in {last:?}, which is inside a channel; give the channel itself and choose \
             subdirs with {}",
            said.key("subdir")
        ),
        (_, error) => error.into(),
    }
}

fn formats(given: &[String], said: Said) -> anyhow::Result<Vec<ArchiveType>> {
    let format = |text: &String| match text.trim().trim_start_matches('.') {
        "conda" => Ok(ArchiveType::Conda),
        "tar.bz2" => Ok(ArchiveType::TarBz2),
        other => anyhow::bail!(
            "{}: `{}` is no archive format; there are conda and tar.bz2",
            said.key("formats"),
            shown(other)
        ),
    };
    given.iter().map(format).collect()
}

fn base(text: &str, said: Said) -> anyhow::Result<Url> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    url.with_context(|| {
        format!(
            "{} `{}` is no http(s) URL such as {DEFAULT_BASE}",
            said.key("channel-base"),
            shown(text)
        )
    })
}
