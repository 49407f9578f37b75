//! Takes `info/` out of a package: the deterministic `info.tar.gz` and `index.json` of the v0 layout.
//!
//! Nothing is unpacked to paths: members are read in turn, bounded by [`InfoLimits`], and written
//! into one archive. Equal `info/` gives equal bytes, whatever the package's own order, times and owners.

mod archive;
mod index;
mod limits;
mod members;

use std::io::{Read, Seek};
use std::path::Path;

use bytes::Bytes;
use mirror_channel::name::ArchiveType;
use mirror_oci::{Body, Digest};
use mirror_runtime::{Disposed, Disposition};

pub use limits::InfoLimits;

/// What a package says about itself, ready to be pushed.
#[derive(Debug)]
pub struct Info {
    /// `info/` as tar.gz.
    pub archive: Blob,
    /// `info/index.json`, its missing `subdir` filled in.
    pub index: Blob,
    /// When the package was built, as `%Y.%m.%d.%H.%M` UTC, if it says so.
    pub created: Option<String>,
}

/// Bytes with their digest. Large ones are in a file that lives as long as the blob.
#[derive(Debug)]
pub struct Blob {
    /// The digest.
    pub digest: Digest,
    /// The bytes.
    pub body: Body,
    _file: Option<tempfile::TempPath>,
}

impl Blob {
    fn memory(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: Digest::of(&bytes),
            body: Body::Memory(bytes),
            _file: None,
        }
    }
}

/// Why a file is not a package that can be mirrored.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The archive cannot be read.
    #[error("not a readable conda package: {0}")]
    Unreadable(String),
    /// No `info/index.json`.
    #[error("not a conda package: it has no info/index.json")]
    NoIndex,
    /// `info/index.json` is not a JSON object.
    #[error("info/index.json is not a JSON object: {0}")]
    BadIndex(serde_json::Error),
    /// A member's name leaves `info/`.
    #[error("refused: the archive has a member named `{0}`")]
    HostileName(String),
    /// A bound is passed.
    #[error("refused: {what} is more than {limit}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// The spool cannot be written.
    #[error("write info archive to the spool: {0}")]
    Spool(std::io::Error),
}

impl Disposed for ExtractError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Spool(_) => Disposition::Local,
            // The hash was right: a second download brings the same bytes.
            _ => Disposition::Permanent,
        }
    }
}

/// Takes the info out of `package`. `subdir` is filled into an `index.json` that names none; large
/// intermediate files go to `spool`. Blocks: meant for a blocking thread.
///
/// # Errors
/// When the package is not one, passes a limit, or the spool cannot be written.
pub fn extract(
    package: impl Read + Seek,
    archive: ArchiveType,
    subdir: &str,
    limits: &InfoLimits,
    spool: &Path,
) -> Result<Info, ExtractError> {
    let unreadable = |error: &dyn std::fmt::Display| ExtractError::Unreadable(error.to_string());
    let members = match archive {
        ArchiveType::Conda => {
            let info = rattler_package_streaming::seek::stream_conda_info(package)
                .map_err(|e| unreadable(&e))?;
            members::collect(info, limits, spool)?
        }
        ArchiveType::TarBz2 => {
            let tar = tar::Archive::new(bzip2::read::MultiBzDecoder::new(
                std::io::BufReader::with_capacity(256 * 1024, package),
            ));
            members::collect(tar, limits, spool)?
        }
    };
    let index = members.index.as_deref().ok_or(ExtractError::NoIndex)?;
    let index = index::read(index, subdir).map_err(ExtractError::BadIndex)?;
    Ok(Info {
        created: index.created,
        index: Blob::memory(index.bytes),
        archive: archive::write(members, spool).map_err(ExtractError::Spool)?,
    })
}
