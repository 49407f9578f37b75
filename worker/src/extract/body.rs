//! A package in memory or in the spool, its info taken out on a thread that may block.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use mirror_channel::name::ArchiveType;
use mirror_oci::Body;
use mirror_oci::body::Growing;
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

/// [`extract`] of a downloaded package, for callers that must not block.
pub(crate) async fn extract_body(
    body: Body,
    archive: ArchiveType,
    subdir: String,
    limits: InfoLimits,
    spool: &Path,
) -> Result<Info, ExtractError> {
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
