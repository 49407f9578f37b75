//! Writes `info.tar.gz`: sorted members, no times, no owners, a fixed gzip header.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use mirror_oci::{Body, Digest};
use rattler_digest::HashingWriter;
use tempfile::{NamedTempFile, SpooledData, SpooledTempFile};

use super::Blob;
use super::members::{IN_MEMORY, Members};

pub(super) fn write(mut members: Members, spool: &Path) -> io::Result<Blob> {
    let target = tempfile::spooled_tempfile_in(IN_MEMORY, spool);
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
    blob(target, Digest::from_sha256(sha256.into()), spool)
}

fn blob(target: SpooledTempFile, digest: Digest, spool: &Path) -> io::Result<Blob> {
    match target.into_inner() {
        SpooledData::InMemory(cursor) => Ok(Blob {
            digest,
            body: Body::Memory(Bytes::from(cursor.into_inner())),
            _file: None,
        }),
        // The spooled file has no name; a body is reopened by one.
        SpooledData::OnDisk(mut unnamed) => {
            unnamed.seek(SeekFrom::Start(0))?;
            let mut named = NamedTempFile::new_in(spool)?;
            let len = io::copy(&mut unnamed, &mut named)?;
            let path = named.into_temp_path();
            Ok(Blob {
                digest,
                body: Body::file(path.to_path_buf(), len),
                _file: Some(path),
            })
        }
    }
}
