//! The channel's index, fetched to disk.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use mirror_channel::repodata::{Limits, empty};
use mirror_channel::source::{FetchedIndex, IndexAnswer, IndexFile};
use mirror_worker::source::IndexError;
use tempfile::NamedTempFile;

use crate::patience::patiently;
use crate::run::Run;

/// The validator of an index that is not there.
pub(super) const ABSENT: &str = "absent";

/// What the channel answered.
pub(super) enum Upstream {
    Unchanged,
    Missing,
    Index(Index),
}

/// An index on disk, unpacked; the file goes when this is dropped.
pub(super) struct Index {
    file: NamedTempFile,
    validator: String,
}

impl Index {
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn validator(&self) -> &str {
        &self.validator
    }
}

impl Upstream {
    /// The index, or an empty one where there is none: `noarch` always has an index.
    pub(super) fn or_empty(self, subdir: &str, dir: &Path) -> anyhow::Result<Index> {
        if let Self::Index(index) = self {
            return Ok(index);
        }
        let mut file =
            NamedTempFile::new_in(dir).with_context(|| format!("write to {}", dir.display()))?;
        file.write_all(&empty(subdir))?;
        Ok(Index {
            file,
            validator: ABSENT.to_owned(),
        })
    }

    pub(super) fn into_index(self) -> Option<Index> {
        match self {
            Self::Index(index) => Some(index),
            Self::Unchanged | Self::Missing => None,
        }
    }
}

/// Fetches one of the channel's indexes, unless it is what `condition` says.
pub(super) async fn fetch(
    run: &Run,
    subdir: &str,
    which: IndexFile,
    condition: Option<&str>,
) -> anyhow::Result<Upstream> {
    let url = run.channel.file_url(subdir, "x")?.join(".")?;
    let limits = Limits::default();
    let asked = || {
        run.sources
            .index(&url, which, condition, &run.scratch, &limits)
    };
    let answer = match patiently(asked).await {
        // What looks at a failure wants to see whose it is.
        Err(IndexError::Channel(error)) => Err(anyhow::Error::new(error)),
        Err(IndexError::Mirror(error)) => Err(anyhow::Error::new(error)),
        Err(error) => Err(anyhow::Error::new(error)),
        Ok(answer) => Ok(answer),
    };
    let answer = answer.with_context(|| format!("read the index of {subdir}"))?;
    Ok(match answer {
        IndexAnswer::Unchanged => Upstream::Unchanged,
        IndexAnswer::Missing => Upstream::Missing,
        IndexAnswer::Fetched(FetchedIndex {
            file, validator, ..
        }) => Upstream::Index(Index { file, validator }),
    })
}
