//! The index of a subdir: asked for conditionally, `.zst` first, spooled to disk unpacked.
//!
//! An answer is one form of one moment: the two forms of a channel can differ for a while, so
//! nothing is ever mixed from both, and a validator only asks about the form it came from.

use std::path::Path;

use backon::{ExponentialBuilder, Retryable};
use mirror_runtime::disposition::{Disposed, Disposition};
use mirror_runtime::redact;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use url::Url;

use super::validator::{Stamp, Validator};
use super::{Fetcher, Opened, SourceError, folder, http, is_local, spool};
use crate::repodata::Limits;

/// Tries for one index, the first included.
const TRIES: usize = 4;

/// Which index of a subdir.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexFile {
    /// `repodata.json`: what clients are to see.
    Current,
    /// `repodata_from_packages.json`: every file that is there, yanked ones included. Few channels have it.
    FromPackages,
}

/// How an index is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    Zst,
    Json,
}

/// What the channel said when asked for an index.
#[derive(Debug)]
pub enum IndexAnswer {
    /// The same as when the given condition was made.
    Unchanged,
    /// The channel has it in neither form.
    Missing,
    /// Here it is.
    Fetched(FetchedIndex),
}

/// A whole index on disk.
#[derive(Debug)]
pub struct FetchedIndex {
    /// The JSON document, unpacked; the file goes when this is dropped.
    pub file: NamedTempFile,
    /// To be given as `condition` the next time. Has no meaning outside this module, and holds no secret.
    pub validator: String,
    /// The size of the unpacked document in bytes.
    pub bytes: u64,
}

impl Fetcher {
    /// Fetches an index of the subdir at `subdir_url` into a temporary file in `dir`, unless it
    /// still is what `condition` (the `validator` of an earlier answer) tells. Transient faults and
    /// throttling are waited out for four tries.
    ///
    /// # Errors
    /// See [`SourceError`]. A document that is larger unpacked than `limits` allow is one.
    pub async fn index(
        &self,
        subdir_url: &Url,
        which: IndexFile,
        condition: Option<&str>,
        dir: &Path,
        limits: &Limits,
    ) -> Result<IndexAnswer, SourceError> {
        let limit = limits.max_decompressed_bytes;
        let known = condition.and_then(Validator::from_text);
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.options.backoff)
            .with_max_times(TRIES - 1)
            .with_jitter();
        (|| self.either_form(subdir_url, which, known.as_ref(), dir, limit))
            .retry(pauses)
            .when(|error| {
                // A throttled host is parked: the next try waits for it in the budget.
                let throttled = matches!(error.disposition(), Disposition::Throttled { .. });
                error.is_transient() || throttled
            })
            .notify(|error, _| tracing::warn!(%error, "fetching the index again"))
            .await
    }

    async fn either_form(
        &self,
        subdir: &Url,
        which: IndexFile,
        known: Option<&Validator>,
        dir: &Path,
        limit: u64,
    ) -> Result<IndexAnswer, SourceError> {
        let mut denied = None;
        for form in [Form::Zst, Form::Json] {
            let url = address(subdir, which, form)?;
            let known = known.and_then(|known| known.stamp_for(form, &url));
            match self.one_form(&url, form, known, dir, limit).await {
                Err(SourceError::NotFound { .. }) => {}
                // Some stores refuse what they do not have, so the other form may still be there.
                Err(error @ SourceError::Denied { .. }) => denied = denied.or(Some(error)),
                answer => return answer,
            }
        }
        denied.map_or(Ok(IndexAnswer::Missing), Err)
    }

    async fn one_form(
        &self,
        url: &Url,
        form: Form,
        known: Option<&Stamp>,
        dir: &Path,
        limit: u64,
    ) -> Result<IndexAnswer, SourceError> {
        let ((file, bytes), stamp) = if is_local(url)? {
            let found = folder::find(url).await?;
            let stamp = found.stamp.clone();
            if known == Some(&stamp) {
                return Ok(IndexAnswer::Unchanged);
            }
            let spooled = spool::unpacked_file(url, form, found, dir, limit).await?;
            (spooled, stamp)
        } else {
            let response = self.get(url, known).await?;
            if response.status() == StatusCode::NOT_MODIFIED {
                return Ok(IndexAnswer::Unchanged);
            }
            let stamp = Stamp::of_answer(response.headers());
            let packed = (form == Form::Zst).then_some("zstd");
            let Opened { bytes, .. } = http::body(url, &self.options, response, packed)?;
            let spooled = spool::unpacked(url, form, bytes, dir, limit).await?;
            (spooled, stamp)
        };
        if let Stamp::File { .. } = stamp
            && folder::find(url).await?.stamp != stamp
        {
            return Err(SourceError::Damaged {
                url: redact::url(url),
                why: "it changed while it was read".to_owned(),
            });
        }
        let validator = Validator::new(form, url, stamp).to_text();
        Ok(IndexAnswer::Fetched(FetchedIndex {
            file,
            validator,
            bytes,
        }))
    }
}

fn address(subdir: &Url, which: IndexFile, form: Form) -> Result<Url, SourceError> {
    let name = match (which, form) {
        (IndexFile::Current, Form::Zst) => "repodata.json.zst",
        (IndexFile::Current, Form::Json) => "repodata.json",
        (IndexFile::FromPackages, Form::Zst) => "repodata_from_packages.json.zst",
        (IndexFile::FromPackages, Form::Json) => "repodata_from_packages.json",
    };
    let mut url = subdir.clone();
    url.path_segments_mut()
        .map_err(|()| SourceError::address(subdir, "it is no folder"))?
        .pop_if_empty()
        .push(name);
    Ok(url)
}
