//! Reads the members of `info/` out of a tar stream, in whatever order they come.

use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Component, Path};

use tempfile::SpooledTempFile;

use super::allowance::{Allowance, Metered};
use super::limits::{MAX_INFO_SIZE, Unpacking};
use super::{ExtractError, InfoLimits};

/// `info/` files up to this many bytes together stay in memory.
pub(super) const IN_MEMORY: usize = 512 * 1024;

/// Contents are padded to whole blocks of a tar archive.
const BLOCK: u64 = 512;

/// A regular file of `info/`.
pub(super) struct Member {
    /// Relative to `info/`, `/`-separated.
    pub name: String,
    pub executable: bool,
    pub offset: u64,
    pub len: u64,
}

/// The files of `info/`, sorted by name; their contents stand in `contents`.
pub(super) struct Members {
    pub list: Vec<Member>,
    pub contents: SpooledTempFile,
    pub index: Option<Vec<u8>>,
}

/// Walks the tar archive `tar`. Links, devices and directories are passed over: `info/` of a package is files.
pub(super) fn collect<R: Read>(
    tar: R,
    unpacking: Unpacking,
    limits: &InfoLimits,
    spool: &Path,
) -> Result<Members, ExtractError> {
    let whole = Allowance::of(unpacking.whole);
    let tar = Metered {
        inner: tar,
        allowance: whole.clone(),
    };
    walk(tar, unpacking, limits, spool).map_err(|error| match whole.is_exceeded() {
        true => ExtractError::TooMuch {
            what: "the unpacked size with all headers",
            limit: unpacking.whole,
            option: Some(unpacking.option),
        },
        false => error,
    })
}

fn walk<R: Read>(
    tar: R,
    unpacking: Unpacking,
    limits: &InfoLimits,
    spool: &Path,
) -> Result<Members, ExtractError> {
    let mut contents = tempfile::spooled_tempfile_in(IN_MEMORY, spool);
    let (mut list, mut index, mut at) = (Vec::new(), None, 0_u64);
    let (mut entries, mut unpacked) = (0, 0_u64);
    let allowance = Allowance::of(limits.header_bytes);
    let mut tar = tar::Archive::new(Metered {
        inner: tar,
        allowance: allowance.clone(),
    });
    for entry in tar.entries().map_err(ExtractError::unreadable)? {
        let mut entry = entry.map_err(|error| match allowance.is_exceeded() {
            true => ExtractError::TooMuch {
                what: "the size of a member's headers",
                limit: limits.header_bytes,
                option: None,
            },
            false => ExtractError::unreadable(error),
        })?;
        entries += 1;
        bounded("the number of members", entries, limits.entries, None)?;
        let path = entry.path().map_err(ExtractError::unreadable)?;
        // What it takes in the archive is not its size, and no field can be believed to tell.
        if entry.header().entry_type().is_gnu_sparse() {
            return Err(ExtractError::Sparse(shown(&path)));
        }
        unpacked = unpacked.saturating_add(entry.size());
        bounded(
            "the unpacked size",
            unpacked,
            unpacking.contents,
            Some(unpacking.option),
        )?;
        // What stands in the archive for it, then the headers of the next.
        allowance.renew(entry.size().saturating_add(BLOCK + limits.header_bytes));
        let Some(name) = name_in_info(&path)? else {
            continue;
        };
        if !entry.header().entry_type().is_file() {
            tracing::debug!(name, "info member is not a regular file; left out");
            continue;
        }
        bounded(
            "the number of files in info/",
            list.len() as u64 + 1,
            limits.members as u64,
            None,
        )?;
        if name == "index.json" {
            let (limit, option) = limits.index();
            bounded("the size of info/index.json", entry.size(), limit, option)?;
        }
        bounded(
            "the size of info/",
            at.saturating_add(entry.size()),
            limits.info_bytes,
            Some(MAX_INFO_SIZE),
        )?;
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        let len = if name == "index.json" {
            let mut bytes = Vec::new();
            entry
                .read_to_end(&mut bytes)
                .map_err(ExtractError::unreadable)?;
            contents.write_all(&bytes).map_err(ExtractError::Spool)?;
            let len = bytes.len() as u64;
            index = Some(bytes);
            len
        } else {
            copy(&mut entry, &mut contents)?
        };
        list.push(Member {
            name,
            executable,
            offset: at,
            len,
        });
        at += len;
    }
    // The last of two members with one name is what unpacking would leave.
    list.reverse();
    list.sort_by(|a, b| a.name.cmp(&b.name));
    list.dedup_by(|later, first| later.name == first.name);
    contents
        .seek(SeekFrom::Start(0))
        .map_err(ExtractError::Spool)?;
    Ok(Members {
        list,
        contents,
        index,
    })
}

/// Copies with the two sides' errors told apart: the archive's is the package's fault, the spool's ours.
fn copy(from: &mut impl Read, to: &mut SpooledTempFile) -> Result<u64, ExtractError> {
    let mut buffer = [0; 16 * 1024];
    let mut total = 0;
    loop {
        let read = from.read(&mut buffer).map_err(ExtractError::unreadable)?;
        if read == 0 {
            return Ok(total);
        }
        to.write_all(&buffer[..read]).map_err(ExtractError::Spool)?;
        total += read as u64;
    }
}

/// The name relative to `info/`, `None` for what is elsewhere in the package.
fn name_in_info(path: &Path) -> Result<Option<String>, ExtractError> {
    let mut parts = Vec::new();
    let hostile = || ExtractError::HostileName(shown(path));
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(hostile());
            }
        }
    }
    match parts.split_first() {
        Some((first, rest)) if *first == "info" && !rest.is_empty() => {
            let names: Option<Vec<&str>> = rest.iter().map(|part| part.to_str()).collect();
            names
                .map(|names| names.join("/"))
                // An extended header can carry what no tar header can.
                .filter(|name| !name.contains('\0'))
                .map(Some)
                .ok_or_else(hostile)
        }
        _ => Ok(None),
    }
}

/// A name fit for an error.
fn shown(path: &Path) -> String {
    let name = path.display().to_string();
    name.escape_debug().take(200).collect()
}

fn bounded(
    what: &'static str,
    value: u64,
    limit: u64,
    option: Option<&'static str>,
) -> Result<(), ExtractError> {
    if value > limit {
        Err(ExtractError::TooMuch {
            what,
            limit,
            option,
        })
    } else {
        Ok(())
    }
}
