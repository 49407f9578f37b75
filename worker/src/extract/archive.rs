//! Writes `info.tar.gz`: sorted members, no times, no owners, a fixed gzip header.

use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use mirror_oci::{Body, Digest};
use rattler_digest::HashingWriter;
use tempfile::NamedTempFile;

use super::Blob;
use super::members::{IN_MEMORY, Members};

pub(super) fn write(mut members: Members, spool: &Path) -> io::Result<Blob> {
    let target = Target::Memory {
        bytes: Vec::new(),
        spool,
    };
    let hashing = HashingWriter::<_, rattler_digest::Sha256>::new(target);
    // 255: unknown system, the only value that is the same everywhere.
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(BufWriter::new(hashing), Compression::new(6));
    let mut tar = tar::Builder::new(gzip);
    for member in &members.list {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(if member.executable { 0o755 } else { 0o644 });
        header.set_size(member.len);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        members.contents.seek(SeekFrom::Start(member.offset))?;
        tar.append_data(
            &mut header,
            &member.name,
            (&mut members.contents).take(member.len),
        )?;
    }
    let mut buffered = tar.into_inner()?.finish()?;
    buffered.flush()?;
    let hashing = buffered
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    let (target, sha256) = hashing.finalize();
    blob(target, Digest::from_sha256(sha256.into()))
}

fn blob(target: Target<'_>, digest: Digest) -> io::Result<Blob> {
    match target {
        Target::Memory { bytes, .. } => Ok(Blob {
            digest,
            body: Body::Memory(Bytes::from(bytes)),
            _file: None,
        }),
        Target::File(file) => {
            let len = file.as_file().metadata()?.len();
            let path = file.into_temp_path();
            Ok(Blob {
                digest,
                body: Body::file(path.to_path_buf(), len),
                _file: Some(path),
            })
        }
    }
}

/// Memory up to [`IN_MEMORY`] bytes, then a file, which has a name because a body is reopened by one.
enum Target<'a> {
    Memory { bytes: Vec<u8>, spool: &'a Path },
    File(NamedTempFile),
}

impl Write for Target<'_> {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(more),
            Self::Memory { bytes, spool } if bytes.len() + more.len() > IN_MEMORY => {
                let mut file = NamedTempFile::new_in(spool)?;
                file.write_all(bytes)?;
                let written = file.write(more)?;
                *self = Self::File(file);
                Ok(written)
            }
            Self::Memory { bytes, .. } => bytes.write(more),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Memory { .. } => Ok(()),
            Self::File(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_outgrows_memory_is_written_once_into_the_file_it_stays_in() {
        let spool = tempfile::tempdir().unwrap();
        let files = || -> Vec<_> {
            let entries = std::fs::read_dir(spool.path()).unwrap();
            entries.map(|entry| entry.unwrap().path()).collect()
        };
        let mut target = Target::Memory {
            bytes: Vec::new(),
            spool: spool.path(),
        };
        target.write_all(&[1; IN_MEMORY]).unwrap();
        assert!(files().is_empty());
        target.write_all(&[2; 3]).unwrap();
        let first = files();
        assert_eq!(first.len(), 1);
        let whole = [vec![1; IN_MEMORY], vec![2; 3]].concat();
        assert_eq!(std::fs::read(&first[0]).unwrap(), whole);
        let blob = blob(target, Digest::of(&whole)).unwrap();
        let Body::File { path, len, .. } = &blob.body else {
            panic!("in memory");
        };
        assert_eq!(
            (path.as_path(), *len),
            (first[0].as_path(), whole.len() as u64)
        );
        assert_eq!(files(), first);
        drop(blob);
        assert!(files().is_empty());
    }
}
