//! The places of a repodata that hold records.

use crate::name::{ArchiveType, FileName, NameError};

/// Which object of the index a record stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `packages`, keyed by file name.
    Packages,
    /// `packages.conda`, keyed by file name.
    PackagesConda,
    /// `v3.conda` or `v3.tar.bz2` (CEP 48), keyed by the file name without extension.
    V3(ArchiveType),
    /// `v3.whl`: wheels, which the registry layout cannot hold.
    Wheel,
    /// Records of a kind unknown to us: another bucket of `v3`, a later `v4`, another `packages.…`. Not held either.
    Unsupported,
}

impl Section {
    /// Whether the registry layout has a place for the section's files. Records of other sections are never kept.
    #[must_use]
    pub const fn is_mirrored(self) -> bool {
        matches!(self, Self::Packages | Self::PackagesConda | Self::V3(_))
    }

    /// The file that a record key of this section stands for; `None` where there is none that can be mirrored.
    ///
    /// # Errors
    /// A key that is no file name (or stem).
    pub fn file_name(self, key: &str) -> Result<Option<FileName>, NameError> {
        match self {
            Self::Packages | Self::PackagesConda => FileName::parse(key).map(Some),
            Self::V3(archive) => FileName::from_stem(key, archive).map(Some),
            Self::Wheel | Self::Unsupported => Ok(None),
        }
    }

    /// The section that a top-level key opens.
    pub(super) fn at_top(key: &str) -> Option<Self> {
        match key {
            "packages" => Some(Self::Packages),
            "packages.conda" => Some(Self::PackagesConda),
            _ => key.starts_with("packages.").then_some(Self::Unsupported),
        }
    }

    /// The section that a bucket of `v<revision>` opens.
    pub(super) fn in_revision(revision: u64, bucket: &str) -> Self {
        match (revision, bucket) {
            (3, "conda") => Self::V3(ArchiveType::Conda),
            (3, "tar.bz2") => Self::V3(ArchiveType::TarBz2),
            (3, "whl") => Self::Wheel,
            _ => Self::Unsupported,
        }
    }
}

/// The number of a top-level key `v3`, `v4`, … that holds one object of records for each archive format.
pub(super) fn revision_container(key: &str) -> Option<u64> {
    let digits = key.strip_prefix('v')?;
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_open_the_sections_they_name() {
        assert_eq!(
            Section::at_top("packages.conda"),
            Some(Section::PackagesConda)
        );
        assert_eq!(Section::at_top("packages.whl"), Some(Section::Unsupported));
        assert_eq!(Section::at_top("removed"), None);
        assert_eq!(revision_container("v3"), Some(3));
        for other in [
            "v",
            "v3x",
            "version",
            "v-1",
            "v+3",
            "V3",
            "v99999999999999999999",
        ] {
            assert_eq!(revision_container(other), None, "{other}");
        }
        assert_eq!(Section::in_revision(3, "whl"), Section::Wheel);
        assert_eq!(Section::in_revision(4, "conda"), Section::Unsupported);
    }

    #[test]
    fn only_mirrored_sections_name_files() {
        assert_eq!(
            Section::V3(ArchiveType::TarBz2)
                .file_name("a-1-0")
                .unwrap()
                .unwrap()
                .as_str(),
            "a-1-0.tar.bz2"
        );
        assert_eq!(Section::Wheel.file_name("a-1-0").unwrap(), None);
        assert!(Section::Packages.file_name("a-1-0").is_err());
    }
}
