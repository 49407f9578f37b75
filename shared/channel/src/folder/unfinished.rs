//! Files that are being written: locked while they are, so that one which a killed process left is told from the others.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use mirror_runtime::fail_point;
use tempfile::NamedTempFile;

/// How their names begin.
const PREFIX: &str = ".tmp-";

/// Puts a file in its place, whole or not at all.
pub(super) fn put(folder: &Path, name: &str, bytes: &mut dyn Read) -> io::Result<()> {
    let mut file = unfinished(folder)?;
    io::copy(bytes, &mut file)?;
    file.flush()?;
    file.as_file().sync_data()?;
    fail_point::hit_blocking("folder-file-before-rename");
    file.persist(folder.join(name))?;
    Ok(())
}

/// A file that is locked for as long as somebody writes it.
fn unfinished(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        // As any other file: the folder is there to be served.
        let permissions = fs::Permissions::from_mode(0o644);
        let file = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(permissions)
            .tempfile_in(folder)?;
        // Where nothing can be locked, nothing is swept either.
        let _ = file.as_file().lock();
        // Else it was swept before it was locked.
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Removes what nobody writes any more.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let unfinished = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if unfinished && entry.file_type()?.is_file() {
            match sweep_one(&entry.path()) {
                // It was finished meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                swept => swept?,
            }
        }
    }
    Ok(())
}

fn sweep_one(path: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_being_written_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let subdir = dir.path().join("noarch");
        sweep(&subdir).unwrap();
        fs::create_dir(&subdir).unwrap();
        let living = unfinished(&subdir).unwrap();
        for left in [".tmp-left", "a-1-0.conda"] {
            fs::write(subdir.join(left), "x").unwrap();
        }
        fs::create_dir(subdir.join(".tmp-folder")).unwrap();
        sweep(&subdir).unwrap();
        let exists = |name: &str| subdir.join(name).exists();
        assert!(!exists(".tmp-left"));
        assert!(exists("a-1-0.conda") && exists(".tmp-folder"));
        assert!(living.path().exists());
    }
}
