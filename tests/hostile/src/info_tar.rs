//! A tar archive inside a right wrapping: of the bytes of a package, those that a stranger can spell freely.
//!
//! All that [`packages`](crate::packages) promises, and:
//! - What is taken out is what a careless reading of the whole archive finds under `info/`.
//! - A `.conda` and a `.tar.bz2` of the same archive give the same.

use std::io::Read as _;

use mirror_channel::name::ArchiveType;

use crate::packages::{Files, taken};
use crate::wrapping;

/// `data` is the tar archive; it is looked at as it is and with its checksums mended.
pub fn check(data: &[u8]) {
    look_into(data);
    let mut mended = data.to_vec();
    wrapping::mend_checksums(&mut mended);
    if mended != data {
        look_into(&mended);
    }
}

fn look_into(tar: &[u8]) {
    let of_conda = taken(&wrapping::conda(tar), ArchiveType::Conda);
    let of_tar_bz2 = taken(&wrapping::tar_bz2(tar), ArchiveType::TarBz2);
    for files in [&of_conda, &of_tar_bz2].into_iter().flatten() {
        assert_eq!(Some(files), carelessly(tar).as_ref());
    }
    // Their limits differ, what is found within both does not.
    if let (Some(conda), Some(tar_bz2)) = (of_conda, of_tar_bz2) {
        assert_eq!(conda, tar_bz2);
    }
}

/// The regular files under `info/`, the last of each name; `None` if something is wrong anywhere.
fn carelessly(tar: &[u8]) -> Option<Files> {
    let mut archive = tar::Archive::new(tar);
    let mut files = Files::new();
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let path = entry.path().ok()?.into_owned();
        // As components, because `info//./a` is `info/a`.
        let parts: Option<Vec<&str>> = path
            .components()
            .filter(|part| *part != std::path::Component::CurDir)
            .map(|part| part.as_os_str().to_str())
            .collect();
        let mut bytes = Vec::new();
        if entry.header().entry_type().is_file()
            && let Some(["info", name @ ..]) = parts.as_deref()
            && !name.is_empty()
        {
            entry.read_to_end(&mut bytes).ok()?;
            files.insert(name.join("/"), bytes);
        }
    }
    Some(files)
}
