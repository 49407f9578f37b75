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
    pub(super) fn in_revision(revision: Revision, bucket: &str) -> Self {
        match (revision, bucket) {
            (Revision::Numbered(3), "conda") => Self::V3(ArchiveType::Conda),
            (Revision::Numbered(3), "tar.bz2") => Self::V3(ArchiveType::TarBz2),
            (Revision::Numbered(3), "whl") => Self::Wheel,
            _ => Self::Unsupported,
        }
    }
}

/// Which records a top-level key such as `v3` holds, in one object for each archive format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revision {
    /// `v3`, `v4`, …
    Numbered(u64),
    /// `v03`: no reader looks there for those of `v3`, and to copy it unread could publish what is not held.
    Misspelt,
}

/// What a top-level key of the form `v<digits>` holds; `None` for any other.
pub(super) fn revision_container(key: &str) -> Option<Revision> {
    let digits = key.strip_prefix('v')?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Some(Revision::Misspelt);
    }
    Some(
        digits
            .parse()
            .map_or(Revision::Misspelt, Revision::Numbered),
    )
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
        assert_eq!(revision_container("v3"), Some(Revision::Numbered(3)));
        for misspelt in ["v03", "v003", "v00", "v99999999999999999999"] {
            let revision = revision_container(misspelt).unwrap();
            assert_eq!(revision, Revision::Misspelt, "{misspelt}");
            let section = Section::in_revision(revision, "conda");
            assert_eq!(section, Section::Unsupported, "{misspelt}");
        }
        for other in ["v", "v3x", "version", "v-1", "v+3", "V3"] {
            assert_eq!(revision_container(other), None, "{other}");
        }
        let numbered = |number, bucket| Section::in_revision(Revision::Numbered(number), bucket);
        assert_eq!(numbered(3, "whl"), Section::Wheel);
        assert_eq!(numbered(4, "conda"), Section::Unsupported);
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
