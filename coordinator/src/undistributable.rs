//! The list of packages that may not be passed on: conda-forge's own, or one that was given.

use std::path::Path;

use anyhow::Context as _;
use futures::TryStreamExt as _;
use mirror_channel::selection::parse_undistributable;
use mirror_channel::source::Fetcher;
use tokio::io::AsyncReadExt as _;
use url::Url;

/// The channel that has such a list.
const CHANNEL: &str = "conda-forge";
/// Where the list is kept.
const LIST: &str = "https://raw.githubusercontent.com/conda-forge/repodata-tools/main/repodata_tools/metadata.json";
/// The word that does without.
const NONE: &str = "none";
/// The list has some kilobytes.
const MAX_LIST: usize = 4 << 20;

/// The names that must not be mirrored. `channel` is the mirrored name and the one without `--as`:
/// another name does not make a package distributable. `given` is a URL, a file or `none`; without it, conda-forge's
/// own list for conda-forge and none for other channels.
///
/// # Errors
/// When the list cannot be had: mirroring what may not be passed on is worse than not mirroring.
pub(crate) async fn names(
    channel: [&str; 2],
    given: Option<&str>,
    fetcher: &Fetcher,
) -> anyhow::Result<Vec<String>> {
    let from = match given {
        Some(NONE) => return Ok(Vec::new()),
        Some(from) => from,
        None if channel.into_iter().any(has_list) => LIST,
        None => return Ok(Vec::new()),
    };
    read(from, fetcher).await.with_context(|| {
        format!(
            "cannot read the list of packages that may not be passed on ({}); give another place with \
             --undistributable URL or FILE, or --undistributable none to mirror without it",
            mirror_runtime::redact::text(from)
        )
    })
}

fn has_list(channel: &str) -> bool {
    let label = channel.strip_prefix(CHANNEL);
    label.is_some_and(|label| label.is_empty() || label.starts_with("/label/"))
}

async fn read(from: &str, fetcher: &Fetcher) -> anyhow::Result<Vec<String>> {
    let mut bytes = Vec::new();
    match Url::parse(from) {
        Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => {
            let mut stream = fetcher.open(&url).await?.bytes;
            while let Some(chunk) = stream.try_next().await? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > MAX_LIST {
                    break;
                }
            }
        }
        _ => {
            let file = tokio::fs::File::open(Path::new(from)).await?;
            let mut limited = file.take(MAX_LIST as u64 + 1);
            limited.read_to_end(&mut bytes).await?;
        }
    }
    anyhow::ensure!(
        bytes.len() <= MAX_LIST,
        "it is larger than {MAX_LIST} bytes"
    );
    Ok(parse_undistributable(&bytes)?)
}
