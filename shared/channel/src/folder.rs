//! A channel folder that is written to: packages and indexes appear whole or not at all.
//!
//! Names become paths only as a checked subdir and a [`FileName`], so nothing is written outside the folder whatever an
//! index says. A file is written beside its place, as `.tmp-…`, and renamed; what a killed process left of that is swept.
//! Blocking; call it from a blocking task.

mod unfinished;

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use self::unfinished::{put, sweep};
use crate::channel::ChannelError;
use crate::index::{Artifact, IndexFiles, JSON, SHARD_INDEX, ZST};
use crate::name::FileName;
use crate::{channel, subdir};

/// Where the shards of a subdir are, as its shard index says.
const SHARDS: &str = "shards";

/// One channel's folder.
#[derive(Debug, Clone)]
pub struct ChannelFolder {
    root: PathBuf,
}

impl ChannelFolder {
    /// The folder of `channel` below `base`. Nothing is made yet.
    ///
    /// # Errors
    /// A name that cannot be one.
    pub fn below(base: &Path, channel: &str) -> Result<Self, ChannelError> {
        channel::check_name(channel)?;
        Ok(Self {
            root: base.join(channel),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The packages that a subdir has, whatever is in them; none if there is no such folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn packages(&self, subdir: &str) -> io::Result<Vec<FileName>> {
        let entries = match fs::read_dir(self.subdir(subdir)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut packages = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(file) = name.to_str().and_then(|name| name.parse().ok())
                && entry.file_type()?.is_file()
            {
                packages.push(file);
            }
        }
        Ok(packages)
    }

    /// A package for reading; `None` if it is not there, or is no regular file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, subdir: &str, file: &FileName) -> io::Result<Option<File>> {
        let path = self.subdir(subdir)?.join(file.as_str());
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => File::open(&path).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a package in its place.
    ///
    /// # Errors
    /// When it cannot be read or written; then its place is as it was.
    pub fn put(&self, subdir: &str, file: &FileName, bytes: &mut dyn Read) -> io::Result<()> {
        let folder = self.subdir(subdir)?;
        fs::create_dir_all(&folder)?;
        put(&folder, file.as_str(), bytes)
    }

    /// Puts the indexes of a subdir in place: shards first, the plain index last.
    ///
    /// # Errors
    /// When they cannot be read or written; those that are in place are whole.
    pub fn publish(&self, subdir: &str, files: &IndexFiles) -> io::Result<()> {
        let folder = self.subdir(subdir)?;
        let shards = folder.join(SHARDS);
        // One without shards has no folder for them.
        let home = match files.shards.new.is_empty() {
            true => &folder,
            false => &shards,
        };
        fs::create_dir_all(home)?;
        let mut pack = File::open(&files.shards.pack.path)?;
        for shard in &files.shards.new {
            pack.seek(SeekFrom::Start(shard.offset))?;
            let name = format!("{}.msgpack.zst", hex::encode(shard.sha256));
            put(&shards, &name, &mut (&pack).take(shard.len))?;
        }
        let copy = |artifact: &Artifact, name| put(&folder, name, &mut File::open(&artifact.path)?);
        copy(&files.shard_index, SHARD_INDEX)?;
        copy(&files.zst, ZST)?;
        copy(&files.json, JSON)
    }

    /// Removes what killed processes left unfinished in a subdir. What a living one writes, here or on another machine
    /// whose locks are seen, stays.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn sweep(&self, subdir: &str) -> io::Result<()> {
        let folder = self.subdir(subdir)?;
        sweep(&folder.join(SHARDS))?;
        sweep(&folder)
    }

    fn subdir(&self, name: &str) -> io::Result<PathBuf> {
        if !subdir::is_known(name) {
            let text = format!("{name:?} is no conda subdir");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(self.root.join(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_package_appears_whole_or_not_at_all_and_in_its_place() {
        struct Breaks(bool);
        impl Read for Breaks {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match std::mem::replace(&mut self.0, true) {
                    false => {
                        buffer[..3].copy_from_slice(b"abc");
                        Ok(3)
                    }
                    true => Err(io::Error::other("broken")),
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let folder = ChannelFolder::below(dir.path(), "main/label/dev").unwrap();
        let file: FileName = "a-1-0.conda".parse().unwrap();
        assert!(folder.put("noarch", &file, &mut Breaks(false)).is_err());
        assert!(folder.packages("noarch").unwrap().is_empty());
        assert_eq!(
            fs::read_dir(folder.root().join("noarch")).unwrap().count(),
            0
        );
        folder.put("noarch", &file, &mut &b"abc"[..]).unwrap();
        assert!(folder.packages("noarch").unwrap().contains(&file));
        let path = dir.path().join("main/label/dev/noarch/a-1-0.conda");
        assert_eq!(fs::read(path).unwrap(), b"abc");
        assert!(folder.open("linux-64", &file).unwrap().is_none());
    }

    #[test]
    fn no_name_leaves_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "..", "a/../b", "/a", "a//b"] {
            assert!(ChannelFolder::below(dir.path(), name).is_err(), "{name}");
        }
        let folder = ChannelFolder::below(dir.path(), "a").unwrap();
        for subdir in ["..", "../b", "shards"] {
            assert!(folder.packages(subdir).is_err(), "{subdir}");
        }
        let outside = dir.path().join("outside");
        fs::write(&outside, "x").unwrap();
        let file: FileName = "a-1-0.conda".parse().unwrap();
        fs::create_dir_all(dir.path().join("a/noarch")).unwrap();
        std::os::unix::fs::symlink(&outside, dir.path().join("a/noarch/a-1-0.conda")).unwrap();
        assert!(folder.open("noarch", &file).unwrap().is_none());
        folder.put("noarch", &file, &mut &b"abc"[..]).unwrap();
        assert_eq!(fs::read(outside).unwrap(), b"x", "the link was followed");
    }
}
