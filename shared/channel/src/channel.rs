//! Where a channel is read from and under which name it is mirrored.
//!
//! The mirrored name never holds a secret: users, passwords and `/t/<token>/` prefixes stay in the [`Location`], whose
//! text forms blank them.

mod name;
mod spec;

pub(crate) use name::check as check_name;

use std::fmt;
use std::path::PathBuf;

use mirror_runtime::redact;
use url::Url;

/// Where bare channel names live unless `--channel-base` says otherwise.
pub const DEFAULT_BASE: &str = "https://conda.anaconda.org";

/// A channel to read, and its name in the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The mirrored name: the path after the base, such as `conda-forge` or `conda-forge/label/rc`.
    pub name: String,
    /// Where its files are.
    pub location: Location,
}

/// Where the files of a channel are; subdirs lie directly below.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// An `http` or `https` URL without query and fragment; may carry a user, a password and a `/t/<token>/` prefix.
    Http(Url),
    /// An absolute folder.
    Folder(PathBuf),
    /// What an OCI mirror holds: `oci://` and `oci+http://` with the path of the channel at a registry, or `oci+file://`
    /// with the absolute folder of the channel's image layouts. Spelled here, and read by whoever knows OCI.
    Oci(Url),
}

/// Why a channel cannot be used as given.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A blank `--channel`.
    #[error(
        "the channel is empty; give a name (conda-forge), an http(s) URL, or a folder (./my-channel)"
    )]
    Empty,
    /// A URL that does not parse, or has parts a channel cannot have.
    #[error("the channel {given:?} is no channel URL: {reason}")]
    Url {
        /// What was given, without secrets.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A scheme that is not read.
    #[error(
        "the channel {given:?} has the scheme {scheme:?}; channels are read from https://, http:// and file://, a folder such as ./my-channel, or a mirror: oci://host/path, oci+http://host/path, oci:FOLDER"
    )]
    Scheme {
        /// What was given, without secrets.
        given: String,
        /// Its scheme.
        scheme: String,
    },
    /// `~` that no shell expanded.
    #[error(
        "the channel {0:?} begins with ~, which only a shell expands; write the folder's whole path"
    )]
    Tilde(String),
    /// A location without anything to name the mirror after.
    #[error("the channel {0:?} has no name of its own; give the mirrored name with --as NAME")]
    Unnamed(String),
    /// A mirrored name that cannot be one.
    #[error("{name:?} cannot name a channel: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A URL or name that goes down to a subdir or an index.
    #[error(
        "the channel {given:?} ends in {last:?}, which is inside a channel; give the channel itself and choose subdirs with --subdir"
    )]
    Inside {
        /// What was given, without secrets.
        given: String,
        /// Its last component.
        last: String,
    },
    /// A folder whose absolute form could not be found out.
    #[error("cannot resolve the channel folder {folder}: {error}")]
    Folder {
        /// The folder as given.
        folder: PathBuf,
        /// What the system answered.
        error: std::io::Error,
    },
    /// A subdir or file name that is more than one path component.
    #[error("{0:?} is no single path component, so it cannot name a subdir or a file of a channel")]
    Component(String),
}

impl Channel {
    /// Reads what `--channel` was given. `base` is where bare names live ([`DEFAULT_BASE`]), `rename` the mirrored name
    /// to use instead of the natural one.
    ///
    /// - `conda-forge`, `conda-forge/label/rc`: below `base`.
    /// - an http(s) URL: named by its path, or for a URL below `base` by the path after it.
    /// - `./x`, `../x`, `/x`, `file://…`: a folder named by its last component (`x/label/y` by these three).
    /// - `oci://host/path`, `oci+http://host/path`, `oci+file:///path`: a mirror, named like a folder.
    ///
    /// # Errors
    /// Each says how to write what was probably meant. Looks at the file system only to resolve folders.
    pub fn parse(spec: &str, base: &Url, rename: Option<&str>) -> Result<Self, ChannelError> {
        let (location, natural) = spec::read(spec.trim(), base)?;
        let name = match rename {
            Some(name) => name.to_owned(),
            None => natural.ok_or_else(|| ChannelError::Unnamed(redact::text(spec)))?,
        };
        name::check(&name)?;
        Ok(Self { name, location })
    }

    /// The URL of a file of a subdir: `file://` for a folder. Characters that a path may carry as they are (`+`, `!`) stay
    /// so, as conda and rattler send them; the others are percent-encoded.
    ///
    /// # Errors
    /// `subdir` or `file` that is not a single path component.
    pub fn file_url(&self, subdir: &str, file: &str) -> Result<Url, ChannelError> {
        for component in [subdir, file] {
            if !name::is_component(component) {
                return Err(ChannelError::Component(component.to_owned()));
            }
        }
        match &self.location {
            Location::Http(url) | Location::Oci(url) => {
                let mut url = url.clone();
                url.path_segments_mut()
                    .expect("URLs with a host or an absolute path have segments")
                    .pop_if_empty()
                    .push(subdir)
                    .push(file);
                Ok(url)
            }
            Location::Folder(folder) => Ok(Url::from_file_path(folder.join(subdir).join(file))
                .expect("channel folders are absolute")),
        }
    }

    /// The location fit for logs and errors: no user, no password, tokens blanked.
    #[must_use]
    pub fn display(&self) -> String {
        self.location.to_string()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) | Self::Oci(url) => f.write_str(&redact::url(url)),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(_) => write!(f, "Http({self})"),
            Self::Folder(_) => write!(f, "Folder({self})"),
            Self::Oci(_) => write!(f, "Oci({self})"),
        }
    }
}

#[cfg(test)]
mod tests;
