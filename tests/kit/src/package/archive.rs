//! Packs a staged package and says what came out.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Cursor, Read, Seek, Write},
    path::Path,
};

use anyhow::Context;
use rattler_conda_types::compression_level::CompressionLevel;
use rattler_digest::{HashingReader, Md5, Sha256};
use rattler_package_streaming::write::{write_conda_package, write_tar_bz2_package};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Format, PackageSpec, metadata::index_json, staging::stage};

/// Payloads above this are packed at the lowest level.
const LARGE: u64 = 8 << 20;

/// A package that was made. Hashes are lower-case hex of the whole archive.
#[derive(Debug, Clone)]
pub struct MadePackage {
    /// The subdir it belongs in.
    pub subdir: String,
    /// Its file name.
    pub file_name: String,
    /// The sha256 of the archive.
    pub sha256: String,
    /// The md5 of the archive.
    pub md5: String,
    /// The size of the archive in bytes.
    pub size: u64,
    /// The record that an indexer would write into `repodata.json`.
    pub record: Map<String, Value>,
}

impl PackageSpec {
    /// Makes the package in memory.
    pub fn to_bytes(&self) -> anyhow::Result<(Vec<u8>, MadePackage)> {
        let mut bytes = Cursor::new(Vec::new());
        self.pack(&mut bytes)?;
        let bytes = bytes.into_inner();
        let digests = digests_of(bytes.as_slice()).context("hash a package in memory")?;
        let made = self.made(digests);
        Ok((bytes, made))
    }

    /// Makes the package as `<folder>/<file name>`, in constant memory. A file of that name is replaced in one step,
    /// so a server that is sending the old one goes on sending the old one.
    pub fn write(&self, folder: &Path) -> anyhow::Result<MadePackage> {
        let target = folder.join(self.file_name());
        let scratch = folder.join(format!(".{}.part", self.file_name()));
        let made = self.write_as(&scratch)?;
        fs::rename(&scratch, &target)
            .with_context(|| format!("rename {} to {}", scratch.display(), target.display()))?;
        Ok(made)
    }

    fn write_as(&self, path: &Path) -> anyhow::Result<MadePackage> {
        let create = || format!("create {}", path.display());
        let mut file = BufWriter::new(File::create(path).with_context(create)?);
        self.pack(&mut file)?;
        file.flush()
            .with_context(|| format!("write {}", path.display()))?;
        let digests = File::open(path)
            .and_then(digests_of)
            .with_context(|| format!("hash {}", path.display()))?;
        Ok(self.made(digests))
    }

    fn pack(&self, out: &mut (impl Write + Seek)) -> anyhow::Result<()> {
        let large = self.payload_bytes() > LARGE;
        let root = scratch(large).context("create a scratch folder")?;
        let paths = stage(self, root.path())?;
        let level = if large {
            CompressionLevel::Lowest
        } else {
            CompressionLevel::Numeric(3)
        };
        match self.format {
            // No compression threads: they cost more than they bring on small packages, and none can reorder a thing.
            Format::Conda => write_conda_package(
                out,
                root.path(),
                &paths,
                level,
                Some(0),
                &self.stem(),
                None,
                None,
            ),
            Format::TarBz2 => write_tar_bz2_package(out, root.path(), &paths, level, None, None),
        }
        .with_context(|| format!("pack {}", self.file_name()))
    }

    fn made(&self, digests: Digests) -> MadePackage {
        let mut record = index_json(self);
        // Says in which section an indexer puts the record; the record itself does not have it.
        record.remove("repodata_revision");
        record.insert("md5".to_owned(), json!(digests.md5));
        record.insert("sha256".to_owned(), json!(digests.sha256));
        record.insert("size".to_owned(), json!(digests.size));
        MadePackage {
            subdir: self.home().to_owned(),
            file_name: self.file_name(),
            sha256: digests.sha256,
            md5: digests.md5,
            size: digests.size,
            record,
        }
    }
}

/// In memory where the machine has a place for that: on a disk, making and removing a dozen small files takes longer
/// than everything else about a small package.
fn scratch(large: bool) -> io::Result<TempDir> {
    let in_memory = if large {
        None
    } else {
        tempfile::tempdir_in("/dev/shm").ok()
    };
    in_memory.map_or_else(tempfile::tempdir, Ok)
}

/// What identifies a file's bytes, hashes in lower-case hex.
pub(crate) struct Digests {
    pub(crate) sha256: String,
    pub(crate) md5: String,
    pub(crate) size: u64,
}

/// Reads to the end.
pub(crate) fn digests_of(reader: impl Read) -> io::Result<Digests> {
    let mut reader = HashingReader::<_, Sha256>::new(HashingReader::<_, Md5>::new(reader));
    let mut chunk = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let read = reader.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        size += read as u64;
    }
    let (inner, sha256) = reader.finalize();
    let (_, md5) = inner.finalize();
    Ok(Digests {
        sha256: hex::encode(sha256),
        md5: hex::encode(md5),
        size,
    })
}
