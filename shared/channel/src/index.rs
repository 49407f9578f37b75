//! All the files of a publication, made from upstream's index: the plain index first, then all others from that.
//!
//! Blocking; call it from a blocking task. Each file is hashed while it is written. The same input gives the same bytes.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;

use rattler_digest::{HashingWriter, Sha256};

use crate::repodata::{Keep, Limits, RepodataError, Rewritten, rewrite};
use crate::shards::{self, NewShard, ShardError};
use crate::zst;

/// The plain index.
pub const JSON: &str = "repodata.json";
/// The compressed index.
pub const ZST: &str = "repodata.json.zst";
/// The shard index.
pub const SHARD_INDEX: &str = "repodata_shards.msgpack.zst";
/// The shards to push, back to back; never published itself.
pub const SHARD_PACK: &str = "shards.pack";

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Where it is.
    pub path: PathBuf,
    /// The sha256 of its bytes.
    pub sha256: [u8; 32],
    /// Its size in bytes.
    pub size: u64,
}

/// The files of one publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFiles {
    /// `repodata.json`.
    pub json: Artifact,
    /// `repodata.json.zst`: the same bytes in one zstd frame that states their size.
    pub zst: Artifact,
    /// `repodata_shards.msgpack.zst`.
    pub shard_index: Artifact,
    /// The shards that were not known before.
    pub shards: ShardPack,
    /// The records that the index lists.
    pub records: u64,
    /// What was kept and left out.
    pub rewritten: Rewritten,
}

/// Shards back to back in one file, so that many small ones need no file each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPack {
    /// The file that holds them.
    pub pack: Artifact,
    /// Where each one is.
    pub new: Vec<NewShard>,
    /// The shards that the shard index lists, new or known.
    pub total: usize,
}

/// Why a publication could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Upstream's index, or writing its filtered form.
    #[error(transparent)]
    Repodata(#[from] RepodataError),
    /// The shards.
    #[error(transparent)]
    Shards(#[from] ShardError),
    /// A file of the publication.
    #[error("cannot {what} {path}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        error: io::Error,
    },
}

/// The plain index, from which all else is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainIndex {
    /// `repodata.json`.
    pub json: Artifact,
    /// What was kept and left out.
    pub rewritten: Rewritten,
}

/// Writes the plain index with the records that `keep` wants into the folder `dir`. `upstream` is read from its
/// beginning; a file of the same name in `dir` is replaced.
///
/// # Errors
/// See [`IndexError`]. The file may then be there in part.
pub fn filter(
    mut upstream: File,
    keep: &dyn Fn(u64) -> Keep,
    dir: &Path,
    limits: Limits,
) -> Result<PlainIndex, IndexError> {
    upstream
        .rewind()
        .map_err(|error| RepodataError::Read { offset: 0, error })?;
    let mut out = Output::create(dir, JSON)?;
    let rewritten = rewrite(&mut upstream, &mut out.writer, limits, keep)?;
    let json = out.finish()?;
    Ok(PlainIndex { json, rewritten })
}

/// Makes the other files of a publication of `subdir` from its plain index, in `dir`: compressed (zstd level
/// [`zst::LEVEL`]) and as shards, of which only those not in `known_shards` are written. The same plain index gives the
/// same bytes, on however many cores. Files of the same names in `dir` are replaced.
///
/// # Errors
/// See [`IndexError`]. Files may then be there in part.
pub fn complete(
    plain: PlainIndex,
    subdir: &str,
    known_shards: &HashSet<[u8; 32]>,
    dir: &Path,
    limits: Limits,
) -> Result<IndexFiles, IndexError> {
    let PlainIndex { json, rewritten } = plain;
    let (zst, sharded) = thread::scope(|scope| {
        let compress = || compressed(&json, dir);
        // Where no thread is to be had, one does after the other.
        let zst = thread::Builder::new().spawn_scoped(scope, compress);
        let sharded = sharded(&json, subdir, known_shards, dir, limits);
        let zst = match zst {
            Ok(zst) => zst
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => compress(),
        };
        (zst, sharded)
    });
    let (zst, (shard_index, shards)) = (zst?, sharded?);
    Ok(IndexFiles {
        json,
        zst,
        shard_index,
        shards,
        records: rewritten.records,
        rewritten,
    })
}

fn compressed(json: &Artifact, dir: &Path) -> Result<Artifact, IndexError> {
    let mut written = read_back(json)?;
    let mut out = Output::create(dir, ZST)?;
    zst::compress(&mut written, json.size, &mut out.writer).map_err(|error| IndexError::Io {
        what: "compress the index into",
        path: out.path.clone(),
        error,
    })?;
    out.finish()
}

/// The shard index and the shards.
fn sharded(
    json: &Artifact,
    subdir: &str,
    known: &HashSet<[u8; 32]>,
    dir: &Path,
    limits: Limits,
) -> Result<(Artifact, ShardPack), IndexError> {
    let written = read_back(json)?;
    let mut pack_out = Output::create(dir, SHARD_PACK)?;
    let shards = shards::build(&written, subdir, known, &mut pack_out.writer, limits)?;
    let pack = pack_out.finish()?;
    let mut index_out = Output::create(dir, SHARD_INDEX)?;
    index_out.write(&shards.index)?;
    let shards = ShardPack {
        pack,
        new: shards.new,
        total: shards.total,
    };
    Ok((index_out.finish()?, shards))
}

fn read_back(json: &Artifact) -> Result<File, IndexError> {
    File::open(&json.path).map_err(|error| IndexError::Io {
        what: "read back",
        path: json.path.clone(),
        error,
    })
}

/// A file being written, hashed and counted on the way.
struct Output {
    path: PathBuf,
    writer: BufWriter<HashingWriter<File, Sha256>>,
}

impl Output {
    fn create(dir: &Path, name: &str) -> Result<Self, IndexError> {
        let path = dir.join(name);
        match File::create(&path) {
            Ok(file) => Ok(Self {
                path,
                writer: BufWriter::with_capacity(256 << 10, HashingWriter::new(file)),
            }),
            Err(error) => Err(IndexError::Io {
                what: "create",
                path,
                error,
            }),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), IndexError> {
        self.writer
            .write_all(bytes)
            .map_err(|error| IndexError::Io {
                what: "write",
                path: self.path.clone(),
                error,
            })
    }

    fn finish(self) -> Result<Artifact, IndexError> {
        let Self { path, writer } = self;
        let finished = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|hashing| {
                let (file, sha256) = hashing.finalize();
                Ok((file.metadata()?.len(), sha256.into()))
            });
        match finished {
            Ok((size, sha256)) => Ok(Artifact { path, sha256, size }),
            Err(error) => Err(IndexError::Io {
                what: "finish",
                path,
                error,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
