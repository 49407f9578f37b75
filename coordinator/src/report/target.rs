//! Where a report goes: a file, which is replaced when the report is whole, or something that is written to, such as a
//! pipe. Nothing but a regular file is ever replaced or removed.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::Errno;

/// Links that are followed one after another; as many as Linux follows.
const MOST_LINKS: usize = 40;
/// Where the names of this process's own descriptors are, links resolved: Linux, others.
const DESCRIPTORS: [&str; 2] = ["/proc", "/dev/fd"];

/// What a path stands for.
#[derive(Debug)]
pub(super) enum Target {
    /// A regular file, or none yet, under the path without links.
    File(PathBuf),
    /// Open for writing: a device, a pipe that is being read, an open descriptor.
    Open(File),
    /// A named pipe that nobody reads yet.
    Pipe(PathBuf),
}

impl Target {
    /// What `path` stands for.
    ///
    /// # Errors
    /// When no report can be written there: better said before the run than after.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            path != "-",
            "the report would stand among what else is printed; --report /dev/stdout with --quiet prints it alone, \
             --report ./- makes a file of this name"
        );
        let found = match fs::metadata(path) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let is_folder = match &found {
            Some(found) => found.is_dir(),
            None => path.as_os_str().as_encoded_bytes().ends_with(b"/"),
        };
        anyhow::ensure!(
            !is_folder,
            "this is a folder; name a file, such as report.json in it"
        );
        let followed = followed(path)?;
        let Some(found) = found else {
            return Ok(Self::File(followed));
        };
        if found.is_file() && !is_descriptor(&followed) {
            return Ok(Self::File(followed));
        }
        let kind = found.file_type();
        anyhow::ensure!(
            !kind.is_block_device() && !kind.is_socket(),
            "this is a disk or a socket; name a file or a pipe"
        );
        if let Some(stream) = own_stream(&found) {
            return Ok(Self::Open(stream));
        }
        match opened(path) {
            // The pipe of a shell's `>(…)` has no second reader to wait for.
            Err(Errno::NXIO) if !is_descriptor(&followed) => Ok(Self::Pipe(path.to_owned())),
            Err(Errno::NXIO) => anyhow::bail!("whoever was to read it has ended"),
            opened => Ok(Self::Open(opened?)),
        }
    }

    /// An empty file without a name, which is gone with this process however that ends: where the target is a file, on
    /// its disk.
    pub(super) fn draft(&self) -> io::Result<File> {
        tempfile::tempfile_in(self.drafts())
    }

    /// The folder of [`draft`](Self::draft)s.
    pub(super) fn drafts(&self) -> PathBuf {
        match self {
            Self::File(path) => folder_of(path).to_owned(),
            Self::Open(_) | Self::Pipe(_) => std::env::temp_dir(),
        }
    }

    /// Puts the whole report there. A named pipe waits for its reader.
    pub(super) fn put(self, mut whole: impl Read) -> io::Result<()> {
        match self {
            Self::File(path) => replace(&path, &mut whole),
            Self::Open(mut stream) => io::copy(&mut whole, &mut stream).map(drop),
            Self::Pipe(path) => {
                let mut pipe = fs::OpenOptions::new().append(true).open(path)?;
                io::copy(&mut whole, &mut pipe).map(drop)
            }
        }
    }
}

/// Replaces a file by the whole report, at once and with the mode that the file had; a new one gets what the umask
/// leaves.
fn replace(path: &Path, report: &mut impl Read) -> io::Result<()> {
    let kept = fs::metadata(path).map(|found| found.permissions().mode() & 0o777);
    let mode = fs::Permissions::from_mode(*kept.as_ref().unwrap_or(&0o666));
    let mut whole = tempfile::Builder::new()
        .prefix(".conda-oci-report-")
        .permissions(mode.clone())
        .tempfile_in(folder_of(path))?;
    io::copy(report, whole.as_file_mut())?;
    if kept.is_ok() {
        // The umask may have narrowed it. A file system without modes refuses, and has nothing to keep.
        let _ = whole.as_file().set_permissions(mode);
    }
    whole.persist(path).map_err(|refused| refused.error)?;
    Ok(())
}

/// The path with the links at its end followed, up to a file or to a name that is free.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        // These links read as paths that may be gone, or somebody else's.
        if is_descriptor(&path) {
            return Ok(path);
        }
        match fs::read_link(&path) {
            Ok(to) => path = folder_of(&path).join(to),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(Errno::LOOP.into())
}

/// Whether the path names an open descriptor, such as `/dev/fd/63`.
fn is_descriptor(path: &Path) -> bool {
    let folder = folder_of(path).canonicalize();
    folder.is_ok_and(|folder| DESCRIPTORS.iter().any(|names| folder.starts_with(names)))
}

/// Standard output or standard error, if that is what was found: they have a place in their file, at which the closing
/// words go on.
fn own_stream(found: &fs::Metadata) -> Option<File> {
    let (out, err) = (io::stdout(), io::stderr());
    [out.as_fd(), err.as_fd()].into_iter().find_map(|stream| {
        let stream = File::from(stream.try_clone_to_owned().ok()?);
        let own = stream.metadata().ok()?;
        ((own.dev(), own.ino()) == (found.dev(), found.ino())).then_some(stream)
    })
}

/// Opened to write at its end, without waiting for a reader.
fn opened(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = open(path, flags | OFlags::NONBLOCK, Mode::empty())?;
    // A slow reader is waited for.
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file.into())
}

/// The folder that a path's last name is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    fn refusal(path: &Path) -> String {
        Target::of(path).unwrap_err().to_string()
    }

    #[test]
    fn what_can_take_no_report_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        assert!(refusal(dir.path()).contains("name a file"));
        assert!(refusal(&dir.path().join("none/")).contains("name a file"));
        assert!(refusal(Path::new("-")).contains("/dev/stdout"));
        let socket = dir.path().join("socket");
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(refusal(&socket).contains("a socket"));
        let circle = dir.path().join("circle");
        symlink(&circle, &circle).unwrap();
        assert!(Target::of(&circle).is_err());
    }

    #[test]
    fn links_are_followed_to_a_file_or_to_where_one_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        symlink("second", &first).unwrap();
        symlink("file", &second).unwrap();
        for exists in [false, true] {
            if exists {
                fs::write(dir.path().join("file"), "old").unwrap();
            }
            let Target::File(path) = Target::of(&first).unwrap() else {
                panic!("a file is replaced");
            };
            assert_eq!(path, dir.path().join("file"), "exists: {exists}");
        }
    }

    #[test]
    fn an_open_descriptor_is_written_at_its_end_and_its_file_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "before ").unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        let before = fs::metadata(&path).unwrap().ino();
        let link = dir.path().join("link");
        symlink(format!("/proc/self/fd/{number}"), &link).unwrap();
        let target = Target::of(&link).unwrap();
        let mut draft = target.draft().unwrap();
        io::Write::write_all(&mut draft, b"the report").unwrap();
        io::Seek::rewind(&mut draft).unwrap();
        target.put(draft).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before the report");
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
    }
}
