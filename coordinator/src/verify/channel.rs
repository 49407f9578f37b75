//! What the channel says, for a comparison.

use std::path::Path;

use anyhow::Context as _;
use mirror_channel::channel::Channel;
use mirror_channel::repodata::Limits;
use mirror_channel::source::{Fetcher, IndexAnswer, IndexFile, SourceError};
use mirror_runtime::{Disposed as _, Disposition};
use tempfile::NamedTempFile;

/// The channel's index of a subdir; `None` where it has none.
///
/// # Errors
/// When the channel cannot be asked.
pub(crate) async fn current(
    fetcher: &Fetcher,
    channel: &Channel,
    subdir: &str,
    scratch: &Path,
) -> anyhow::Result<Option<NamedTempFile>> {
    let fetched = fetch(fetcher, channel, subdir, IndexFile::Current, scratch);
    fetched
        .await?
        .with_context(|| format!("read the index of {subdir} at {}", channel.display()))
}

/// The channel's list of all files that it ever had, which few channels have.
///
/// # Errors
/// When the channel cannot be asked now.
pub(crate) async fn archive(
    fetcher: &Fetcher,
    channel: &Channel,
    subdir: &str,
    scratch: &Path,
) -> anyhow::Result<Option<NamedTempFile>> {
    match fetch(fetcher, channel, subdir, IndexFile::FromPackages, scratch).await? {
        // Some hosts answer oddly for what is not there.
        Err(error)
            if matches!(
                error.disposition(),
                Disposition::Denied | Disposition::Permanent
            ) =>
        {
            Ok(None)
        }
        listing => Ok(listing?),
    }
}

async fn fetch(
    fetcher: &Fetcher,
    channel: &Channel,
    subdir: &str,
    which: IndexFile,
    scratch: &Path,
) -> anyhow::Result<Result<Option<NamedTempFile>, SourceError>> {
    let url = channel.file_url(subdir, "x")?.join(".")?;
    let limits = Limits::default();
    let answer = fetcher.index(&url, which, None, scratch, &limits).await;
    Ok(answer.map(|answer| match answer {
        IndexAnswer::Fetched(fetched) => Some(fetched.file),
        IndexAnswer::Missing | IndexAnswer::Unchanged => None,
    }))
}
