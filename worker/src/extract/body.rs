//! A package in memory or in the spool, its info taken out on a thread that may block.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use mirror_channel::name::ArchiveType;
use mirror_oci::Body;

use super::{ExtractError, Info, InfoLimits, extract};

/// [`extract`] of a downloaded package, for callers that must not block.
pub(crate) async fn extract_body(
    body: Body,
    archive: ArchiveType,
    subdir: String,
    limits: InfoLimits,
    spool: &Path,
) -> Result<Info, ExtractError> {
    let spool = spool.to_owned();
    let work = move || match body {
        Body::Memory(bytes) => extract(Cursor::new(bytes), archive, &subdir, &limits, &spool),
        Body::File { path, .. } => {
            let file = File::open(path.as_path()).map_err(ExtractError::Spool)?;
            extract(file, archive, &subdir, &limits, &spool)
        }
    };
    // A panic in a decoder is the package's doing: it fails, the worker goes on.
    let gave_up = |panic| ExtractError::Unreadable(format!("the decoder gave up: {panic}"));
    let extracted = tokio::task::spawn_blocking(work).await;
    extracted.unwrap_or_else(|panic| Err(gave_up(panic)))
}
