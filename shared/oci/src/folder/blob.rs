//! Blobs on disk: written beside their place and renamed when digest and length are right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use bytes::Bytes;
use mirror_runtime::fail_point;
use rattler_digest::Sha256;
use rattler_digest::digest::Digest as _;

use super::FolderError;
use super::repository::{Repository, temp_file};
use crate::body::Body;
use crate::digest::Digest;

/// From this size on a blob is synced by whoever writes it: a sweep over many small ones
/// ([`super::flush`]) should not wait for its bytes.
const SYNC_ALONE: u64 = 4 * 1024 * 1024;
const CHUNK: usize = 256 * 1024;

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The blob was written.
    Written,
    /// It was there already with this content.
    Present,
}

/// Stores `body` as `digest`.
pub(super) fn put(
    repository: &Repository,
    digest: &Digest,
    body: &Body,
) -> Result<Put, FolderError> {
    let path = repository.blob(digest);
    if size(&path)? == Some(body.len()) && content_is(&path, digest)? {
        return Ok(Put::Present);
    }
    let wrong = |actual, len| FolderError::WrongContent {
        repository: repository.name.clone(),
        digest: *digest,
        expected_len: body.len(),
        actual,
        len,
    };
    let dir = repository.blobs();
    let writing = FolderError::io("write", &path);
    let mut temp;
    match body {
        Body::Memory(bytes) => {
            let actual = Digest::of(bytes);
            if actual != *digest {
                return Err(wrong(actual, body.len()));
            }
            temp = temp_file(&dir).map_err(FolderError::io("write into", &dir))?;
            temp.write_all(bytes).map_err(writing)?;
        }
        Body::File { .. } => {
            let spooled = body.path().unwrap_or(&dir);
            let reading = |error| FolderError::io("read the spooled file", spooled)(error);
            let mut source = body.reader().map_err(reading)?;
            temp = temp_file(&dir).map_err(FolderError::io("write into", &dir))?;
            let (actual, copied) = match copy(&mut source, temp.as_file_mut()) {
                Ok(done) => done,
                Err(CopyError::Read(error)) => return Err(reading(error)),
                Err(CopyError::Write(error)) => return Err(writing(error)),
            };
            if actual != *digest || copied != body.len() {
                return Err(wrong(actual, copied));
            }
        }
    }
    if body.len() >= SYNC_ALONE {
        temp.as_file()
            .sync_data()
            .map_err(FolderError::io("sync", &path))?;
    }
    fail_point::hit_blocking("folder-blob-before-rename");
    temp.persist(&path)
        .map_err(|failed| FolderError::io("rename a temporary file to", &path)(failed.error))?;
    Ok(Put::Written)
}

/// The size of the file at `path`, if there is one.
pub(super) fn size(path: &Path) -> Result<Option<u64>, FolderError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
        Ok(metadata) if metadata.is_symlink() => Err(FolderError::Link(path.to_owned())),
        Ok(_) => Err(in_the_way(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FolderError::io("look at", path)(error)),
    }
}

/// Opens the file at `path`, if there is one, without following a link or waiting for a pipe.
pub(super) fn open(path: &Path) -> Result<Option<(u64, File)>, FolderError> {
    use rustix::fs::OFlags;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(FolderError::Link(path.to_owned()));
        }
        Err(error) => return Err(FolderError::io("open", path)(error)),
    };
    let metadata = file.metadata().map_err(FolderError::io("look at", path))?;
    if !metadata.is_file() {
        return Err(in_the_way(path));
    }
    Ok(Some((metadata.len(), file)))
}

/// The whole of a blob of at most `limit` bytes. One that is damaged counts as absent.
pub(super) fn read_verified(
    repository: &Repository,
    digest: &Digest,
    limit: u64,
) -> Result<Option<Bytes>, FolderError> {
    let path = repository.blob(digest);
    let Some((size, file)) = open(&path)? else {
        return Ok(None);
    };
    if size > limit {
        return Err(FolderError::TooLarge { path, size, limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(FolderError::io("read", &path))?;
    if Digest::of(&bytes) != *digest {
        tracing::warn!(path = %path.display(), "blob does not have the content its name says; it counts as missing");
        return Ok(None);
    }
    Ok(Some(bytes.into()))
}

fn content_is(path: &Path, digest: &Digest) -> Result<bool, FolderError> {
    let Some((_, mut file)) = open(path)? else {
        return Ok(false);
    };
    match copy(&mut file, &mut io::sink()) {
        Ok((actual, _)) => Ok(actual == *digest),
        Err(CopyError::Read(error) | CopyError::Write(error)) => {
            Err(FolderError::io("read", path)(error))
        }
    }
}

/// Which side of a copy failed.
enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies all of `from`; digest and length of what went through.
fn copy(from: &mut impl Read, to: &mut impl Write) -> Result<(Digest, u64), CopyError> {
    let mut sha256 = Sha256::new();
    let mut len = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        sha256.update(&chunk[..read]);
        to.write_all(&chunk[..read]).map_err(CopyError::Write)?;
        len += read as u64;
    }
    Ok((Digest::from_sha256(sha256.finalize().into()), len))
}

fn in_the_way(path: &Path) -> FolderError {
    FolderError::InTheWay {
        path: path.to_owned(),
        expected: "file",
    }
}
