//! A package in memory or in the spool, its info taken out on a thread that may block.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use mirror_channel::name::ArchiveType;
use mirror_oci::Body;
use mirror_oci::body::Growing;
use mirror_runtime::{Disposed as _, Disposition};
use tokio::task::JoinHandle;

use super::{ExtractError, Info, InfoLimits, extract, extract_tar_bz2};

/// An extraction under way. Dropped, it still ends by itself: a thread cannot be stopped.
#[derive(Debug)]
pub(crate) struct Extraction(JoinHandle<Result<Info, ExtractError>>);

impl Extraction {
    fn begin(work: impl FnOnce() -> Result<Info, ExtractError> + Send + 'static) -> Self {
        Self(tokio::task::spawn_blocking(work))
    }

    /// Takes the info out of a `.tar.bz2` while it comes. What is found counts only once the file is known to be the
    /// right one; an error may be the download's. `held` is dropped when the thread is done with the file.
    pub(crate) fn follow(
        growing: Growing,
        held: impl Send + 'static,
        subdir: String,
        limits: InfoLimits,
        spool: &Path,
    ) -> Self {
        let spool = spool.to_owned();
        Self::begin(move || {
            let _held = held;
            let package = growing.follow().map_err(ExtractError::Spool)?;
            extract_tar_bz2(package, &subdir, &limits, &spool)
        })
    }

    pub(crate) async fn end(self) -> Result<Info, ExtractError> {
        // A panic in a decoder is the package's doing: it fails, the worker goes on.
        let gave_up = |panic| ExtractError::Unreadable(format!("the decoder gave up: {panic}"));
        self.0.await.unwrap_or_else(|panic| Err(gave_up(panic)))
    }
}

/// [`extract`] of a downloaded package, for callers that must not block: by the extraction that followed it, if there is
/// one. What that one failed of through this machine alone (no room, no descriptor) may have passed: the whole file is then
/// read.
pub(crate) async fn extract_body(
    followed: Option<Extraction>,
    body: Body,
    archive: ArchiveType,
    subdir: String,
    limits: InfoLimits,
    spool: &Path,
) -> Result<Info, ExtractError> {
    if let Some(extraction) = followed {
        match extraction.end().await {
            Err(error) if error.disposition() == Disposition::Local => {
                tracing::debug!(%error, "looking into a file while it came failed; it is read anew");
            }
            taken => return taken,
        }
    }
    let spool = spool.to_owned();
    let work = move || match &body {
        Body::Memory(bytes) => extract(Cursor::new(bytes), archive, &subdir, &limits, &spool),
        Body::File { path, .. } => {
            let file = File::open(path.as_path()).map_err(ExtractError::Spool)?;
            extract(file, archive, &subdir, &limits, &spool)
        }
    };
    Extraction::begin(work).end().await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mirror_kit::package::{Format, PackageSpec};

    /// What comes of a whole, good package whose extraction while it came ended so.
    async fn after(followed: Result<Info, ExtractError>) -> Result<Info, ExtractError> {
        let dir = tempfile::tempdir().unwrap();
        let package = PackageSpec::new("a", "1", "0").format(Format::TarBz2);
        let (bytes, _) = package.to_bytes().unwrap();
        let followed = Some(Extraction::begin(move || followed));
        let (archive, subdir) = (ArchiveType::TarBz2, "noarch".to_owned());
        let limits = InfoLimits::default();
        extract_body(followed, bytes.into(), archive, subdir, limits, dir.path()).await
    }

    #[tokio::test]
    async fn a_failure_of_this_machine_while_a_file_came_is_none_of_the_file() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let info = after(Err(ExtractError::Spool(full))).await.unwrap();
        assert_eq!(info.other_than("a-1-0"), None);
    }

    #[tokio::test]
    async fn what_was_wrong_with_a_file_while_it_came_is_not_looked_for_again() {
        let failed = after(Err(ExtractError::NoIndex)).await;
        assert!(matches!(failed, Err(ExtractError::NoIndex)), "{failed:?}");
    }
}
