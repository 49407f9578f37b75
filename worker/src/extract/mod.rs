//! Takes `info/` out of a package: the deterministic `info.tar.gz` and `index.json` of the v0 layout.
//!
//! Nothing is unpacked to paths: members are read in turn, bounded by [`InfoLimits`], and written
//! into one archive. Equal `info/` gives equal bytes, whatever the package's own order, times and owners.

mod allowance;
mod archive;
mod body;
mod index;
mod limits;
mod members;
mod zip_end;

use std::io::{Read, Seek};
use std::path::Path;

use bytes::Bytes;
use mirror_channel::name::ArchiveType;
use mirror_oci::{Body, Digest};
use mirror_runtime::{Disposed, Disposition};

use allowance::{Allowance, Metered};
pub(crate) use body::{Extraction, extract_body};
pub use limits::InfoLimits;
use limits::Unpacking;

/// Bytes read to find `info/` in a `.conda`: the last 64 KiB and a directory of three entries, more than once.
const ZIP_DIRECTORY: u64 = 4 << 20;

/// What a package says about itself, ready to be pushed.
#[derive(Debug)]
pub struct Info {
    /// `info/` as tar.gz.
    pub archive: Blob,
    /// `info/index.json`, its missing `subdir` filled in.
    pub index: Blob,
    /// When the package was built, as `%Y.%m.%d.%H.%M` UTC, if it says so.
    pub created: Option<String>,
    /// `name-version-build` as `index.json` has it, if it has all three.
    stem: Option<String>,
}

impl Info {
    /// The package that `index.json` is about, fit for a log, if that is another than `stem`
    /// (`name-version-build`). Clients go by the name of the file, so it is no reason to refuse one.
    #[must_use]
    pub fn other_than(&self, stem: &str) -> Option<String> {
        let other = self.stem.as_deref().filter(|own| *own != stem)?;
        Some(other.escape_debug().take(200).collect())
    }
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
    /// A member stored as GNU tar stores files with holes.
    #[error("refused: the archive has a sparse member, `{0}`, which no packager writes")]
    Sparse(String),
    /// A bound is passed.
    #[error("refused: {what} is more than {limit}{}", remedy(*option))]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: u64,
        /// The option that sets it.
        option: Option<&'static str>,
    },
    /// The spool cannot be written.
    #[error("write info archive to the spool: {0}")]
    Spool(std::io::Error),
}

/// What to do about a bound that is passed. It needs `--retry-failed`, because the file would be downloaded
/// in every run otherwise, only to be refused again.
fn remedy(option: Option<&str>) -> String {
    match option {
        Some(option) => format!(
            " bytes; if the package is to be trusted, raise {option} and run again with --retry-failed"
        ),
        None => ", far past any real package".to_owned(),
    }
}

impl ExtractError {
    /// What a reader of archives said, which may repeat names out of the archive.
    fn unreadable(error: impl std::fmt::Display) -> Self {
        let said = error.to_string();
        Self::Unreadable(said.chars().filter(|c| !c.is_control()).take(300).collect())
    }
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
    match archive {
        ArchiveType::Conda => {
            let tar = open_conda(package)?;
            taken(tar, limits.unpacking(archive), subdir, limits, spool)
        }
        ArchiveType::TarBz2 => extract_tar_bz2(package, subdir, limits, spool),
    }
}

/// [`extract`] of a `.tar.bz2`, which is read from its start to its end.
fn extract_tar_bz2(
    package: impl Read,
    subdir: &str,
    limits: &InfoLimits,
    spool: &Path,
) -> Result<Info, ExtractError> {
    let buffered = std::io::BufReader::with_capacity(256 * 1024, package);
    let tar = bzip2::read::MultiBzDecoder::new(buffered);
    let unpacking = limits.unpacking(ArchiveType::TarBz2);
    taken(tar, unpacking, subdir, limits, spool)
}

/// The info out of the tar archive that has it.
fn taken(
    tar: impl Read,
    unpacking: Unpacking,
    subdir: &str,
    limits: &InfoLimits,
    spool: &Path,
) -> Result<Info, ExtractError> {
    let members = members::collect(tar, unpacking, limits, spool)?;
    let index = members.index.as_deref().ok_or(ExtractError::NoIndex)?;
    let index = index::read(index, subdir).map_err(ExtractError::BadIndex)?;
    Ok(Info {
        created: index.created,
        stem: index.stem,
        index: Blob::memory(index.bytes),
        archive: archive::write(members, spool).map_err(ExtractError::Spool)?,
    })
}

/// The info archive of a `.conda`. Every entry of its zip is held in memory while it is looked for.
fn open_conda<'a>(mut package: impl Read + Seek + 'a) -> Result<impl Read + 'a, ExtractError> {
    zip_end::check(&mut package)?;
    let allowance = Allowance::of(ZIP_DIRECTORY);
    let metered = Metered {
        inner: package,
        allowance: allowance.clone(),
    };
    let info =
        rattler_package_streaming::seek::stream_conda_info(metered).map_err(
            |error| match allowance.is_exceeded() {
                true => ExtractError::TooMuch {
                    what: "the size of the zip's directory",
                    limit: ZIP_DIRECTORY,
                    option: None,
                },
                false => ExtractError::unreadable(error),
            },
        )?;
    allowance.lift();
    Ok(info.into_inner())
}
