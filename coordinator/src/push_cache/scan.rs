//! The packages of a folder, each with its hashes. Nothing there is changed.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mirror_channel::name::FileName;
use rattler_digest::{Md5, Sha256, digest::Digest as _};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// Files of a folder that are considered; one of its own builds has fewer.
const MOST: usize = 1_000_000;

/// A package file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub path: PathBuf,
    pub file: FileName,
    pub sha256: [u8; 32],
    pub md5: [u8; 16],
    pub size: u64,
}

/// A file that cannot be pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub file: String,
    pub cause: String,
}

/// The package files directly in `folder` that `wanted` wants, in the order of their names; it is asked about nothing for a
/// name that is none of a package.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) async fn scan(
    folder: &Path,
    wanted: impl Fn(Option<&FileName>) -> bool,
) -> anyhow::Result<(Vec<Package>, Vec<Refused>)> {
    let mut refused = Vec::new();
    let mut files = Vec::new();
    for (path, name) in list(folder).with_context(|| format!("list {}", folder.display()))? {
        match FileName::parse(&name) {
            Ok(file) if wanted(Some(&file)) => files.push((path, file)),
            Ok(_) => {}
            Err(_) if !wanted(None) => {}
            Err(error) => refused.push(Refused {
                file: name,
                cause: error.to_string(),
            }),
        }
    }
    let at_once = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut hashed = stream::iter(files)
        .map(|(path, file)| async {
            let name = file.as_str().to_owned();
            let hashed = tokio::task::spawn_blocking(|| hash(path, file)).await?;
            anyhow::Ok(hashed.map_err(|error| Refused {
                file: name,
                cause: format!("cannot be read: {error}"),
            }))
        })
        .buffered(at_once);
    let mut packages = Vec::new();
    while let Some(hashed) = hashed.try_next().await? {
        match hashed {
            Ok(package) => packages.push(package),
            Err(error) => refused.push(error),
        }
    }
    Ok((packages, refused))
}

/// What has the name of a package.
fn list(folder: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link counts as what it leads to.
        let is_package = name.ends_with(".conda") || name.ends_with(".tar.bz2");
        if is_package && entry.path().is_file() {
            found.push((entry.path(), name));
        }
        anyhow::ensure!(found.len() <= MOST, "it has more than {MOST} packages");
    }
    found.sort();
    Ok(found)
}

fn hash(path: PathBuf, file: FileName) -> std::io::Result<Package> {
    let mut input = File::open(&path)?;
    let (mut sha256, mut md5, mut size) = (Sha256::new(), Md5::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = input.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        sha256.update(&chunk[..read]);
        md5.update(&chunk[..read]);
        size += read as u64;
    }
    Ok(Package {
        path,
        file,
        sha256: sha256.finalize().into(),
        md5: md5.finalize().into(),
        size,
    })
}
