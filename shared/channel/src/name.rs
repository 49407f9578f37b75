//! Package file names, the one identity of a package that clients and registries agree on.
//!
//! A [`FileName`] that exists has been checked: it is one path component of printable ASCII with four non-empty parts,
//! so it can be shown, logged and joined to a folder or a URL without another look.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest file name accepted, in bytes: what common file systems store.
pub const MAX_FILE_NAME_BYTES: usize = 255;

/// The two archive formats that conda packages come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ArchiveType {
    /// The zip with zstd members, `.conda`.
    #[serde(rename = "conda")]
    Conda,
    /// The older `.tar.bz2`.
    #[serde(rename = "tar.bz2")]
    TarBz2,
}

impl ArchiveType {
    /// The extension without its leading dot: `conda` or `tar.bz2`, which is also the name of the CEP 48 bucket.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Conda => "conda",
            Self::TarBz2 => "tar.bz2",
        }
    }
}

/// Why a text is no package file name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Neither of the two known endings.
    #[error("{0:?} is not a conda package: its name ends in neither .conda nor .tar.bz2")]
    Extension(String),
    /// Fewer than three dashes' worth of parts, or an empty one.
    #[error("{0:?} is not of the form name-version-build with three non-empty parts")]
    Parts(String),
    /// A part that would be a folder instead of a file.
    #[error("{0:?} has a part that is only dots, which a path would take for a folder")]
    Dots(String),
    /// Something that is not printable ASCII, or a path separator.
    #[error("{name:?} contains {character:?}; package names are printable ASCII without / and \\")]
    Character {
        /// The offending name.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// Longer than [`MAX_FILE_NAME_BYTES`].
    #[error(
        "{start:?}… is {len} bytes long, over the {MAX_FILE_NAME_BYTES} that a file name may have"
    )]
    Long {
        /// How the name begins.
        start: String,
        /// Its length in bytes.
        len: usize,
    },
}

/// A package's file name, `name-version-build.ext`, split from the right as clients do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName {
    text: Box<str>,
    name_len: u8,
    version_end: u8,
    archive: ArchiveType,
}

impl FileName {
    /// Reads a file name that may come from anywhere.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (stem, archive) = [ArchiveType::Conda, ArchiveType::TarBz2]
            .into_iter()
            .find_map(|archive| {
                let stem = text.strip_suffix(archive.extension())?.strip_suffix('.')?;
                Some((stem, archive))
            })
            .ok_or_else(|| {
                check_characters(text)
                    .err()
                    .unwrap_or_else(|| NameError::Extension(text.to_owned()))
            })?;
        let (name_len, version_end) = split(text, stem)?;
        Ok(Self {
            text: text.into(),
            name_len,
            version_end,
            archive,
        })
    }

    /// The file name of a CEP 48 record, whose key is the `name-version-build` stem and whose bucket is the format.
    ///
    /// # Errors
    /// As [`FileName::parse`].
    pub fn from_stem(stem: &str, archive: ArchiveType) -> Result<Self, NameError> {
        let text = format!("{stem}.{}", archive.extension());
        let (name_len, version_end) = split(&text, stem)?;
        Ok(Self {
            text: text.into(),
            name_len,
            version_end,
            archive,
        })
    }

    /// The package's name, in the file name's own spelling.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[..usize::from(self.name_len)]
    }

    /// The version, such as `1!2.0+cuda`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.text[usize::from(self.name_len) + 1..usize::from(self.version_end)]
    }

    /// The build string, such as `py312h0_1`.
    #[must_use]
    pub fn build(&self) -> &str {
        &self.stem()[usize::from(self.version_end) + 1..]
    }

    /// The format that the extension names.
    #[must_use]
    pub const fn archive(&self) -> ArchiveType {
        self.archive
    }

    /// `name-version-build`, without the extension.
    #[must_use]
    pub fn stem(&self) -> &str {
        &self.text[..self.text.len() - self.archive.extension().len() - 1]
    }

    /// The whole file name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The length of the name and the end of the version within `stem`, once `text` (the stem and its extension) is sound.
fn split(text: &str, stem: &str) -> Result<(u8, u8), NameError> {
    check_characters(text)?;
    let parts = || NameError::Parts(text.to_owned());
    let (rest, build) = stem.rsplit_once('-').ok_or_else(parts)?;
    let (name, version) = rest.rsplit_once('-').ok_or_else(parts)?;
    if name.is_empty() || version.is_empty() || build.is_empty() {
        return Err(parts());
    }
    if [name, version, build]
        .iter()
        .any(|part| matches!(*part, "." | ".."))
    {
        return Err(NameError::Dots(text.to_owned()));
    }
    match (u8::try_from(name.len()), u8::try_from(rest.len())) {
        (Ok(name_len), Ok(version_end)) => Ok((name_len, version_end)),
        _ => Err(parts()),
    }
}

fn check_characters(text: &str) -> Result<(), NameError> {
    if text.len() > MAX_FILE_NAME_BYTES {
        return Err(NameError::Long {
            start: text.chars().take(40).collect(),
            len: text.len(),
        });
    }
    let is_allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b'\\');
    if text.bytes().all(is_allowed) {
        return Ok(());
    }
    match text
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '/' | '\\'))
    {
        Some(character) => Err(NameError::Character {
            name: text.to_owned(),
            character,
        }),
        None => Ok(()),
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName({:?})", self.text)
    }
}

impl FromStr for FileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for FileName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<FileName> for String {
    fn from(file: FileName) -> Self {
        file.text.into()
    }
}

#[cfg(test)]
mod tests;
