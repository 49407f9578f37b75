//! One build to bring to the destination, self-contained: a worker needs nothing but this message
//! to do it, so a task survives the loss of the ledger.
//!
//! On the wire a task is JSON with a `version`, about 1 KB. Fields that a reader does not know are
//! ignored, a version it does not know is an error. No secret ever travels in it.

use std::collections::BTreeMap;

use mirror_runtime::clock::MAX_PLAN;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::TaskError;
use crate::hex_digest;

/// The version we write. We read it and the one before, so that a mirror can be updated worker by worker.
pub const VERSION: u64 = 1;

/// The versions that a program which writes `current` reads, newest first. There is no version 0.
pub fn readable_versions(current: u64) -> impl Iterator<Item = u64> {
    [current, current.saturating_sub(1)]
        .into_iter()
        .filter(|version| *version > 0)
}

/// Bytes a message may have. A task is about 1 KB; more than this is no task of ours.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// A build (subdir, name, version, build) with every file that upstream has for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The destination as the user wrote it (`ghcr.io/org`, `oci:./mirror`), without credentials.
    pub registry: String,
    /// The mirrored channel's name, one or more path components (`conda-forge`, `main/label/dev`).
    pub channel: String,
    /// The platform folder (`linux-64`).
    pub subdir: String,
    /// Which build.
    pub package: BuildName,
    /// The number of the plan that made this task.
    pub plan: u64,
    /// Whether the state at the destination is unknown and must be looked up before a download.
    pub probe: bool,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// How often a worker passed it on that is not set up to do it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub passed_on: u32,
    /// Where a worker was overtaken: the number of its plan. What the ledger has of later plans goes before what is listed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtaken: Option<u64>,
    /// Whether a file whose record has no hash may be taken as it comes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_unverified: bool,
    /// Whether what the destination has of the build is damaged: the files to transfer are brought and their blobs sent
    /// even if the tag names them. A worker that does not know this finds them held; who asked for it looks again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renew: bool,
    /// Annotations for the manifest, so that whoever does the task writes the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The folder that serves the files: http, https or file, or where a mirror holds the subdir (oci, oci+http,
    /// oci+file); ends with `/`.
    pub source: Url,
    /// Every file of the build, because all formats live under one tag.
    pub files: Vec<TaskFile>,
}

/// What names a build within a subdir.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BuildName {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// The build string.
    pub build: String,
}

/// One archive of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFile {
    /// The file name, `name-version-build.ext`.
    pub file: String,
    /// What to do with it.
    pub action: Action,
    /// The channel's sha256.
    #[serde(with = "hex_digest", default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<[u8; 32]>,
    /// The channel's md5.
    #[serde(with = "hex_digest", default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<[u8; 16]>,
    /// The channel's size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The sha256 of what an earlier run brought of a file whose record has no hash: if the tag holds exactly that, the
    /// file is held, whatever this run allows.
    #[serde(with = "hex_digest", default, skip_serializing_if = "Option::is_none")]
    pub known_sha256: Option<[u8; 32]>,
}

/// What a task wants done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Bring it to the destination.
    Transfer,
    /// It is there already: its layer stays in the manifest.
    Keep,
    /// Only find out whether it is there: an index that somebody else wrote lists it.
    Check,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    #[serde(flatten)]
    task: &'a Task,
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Task {
    /// `name-version-build`: the files' common stem, and the key of the build within its subdir.
    #[must_use]
    pub fn stem(&self) -> String {
        let BuildName {
            name,
            version,
            build,
        } = &self.package;
        format!("{name}-{version}-{build}")
    }

    /// Where a file of the build is.
    ///
    /// # Panics
    /// If the task was not checked: its source must be a folder with a host or an absolute path.
    #[must_use]
    pub fn url(&self, file: &str) -> Url {
        let mut url = self.source.clone();
        url.path_segments_mut()
            .expect("a task's source is a folder with a host or an absolute path")
            .pop_if_empty()
            .push(file);
        url
    }

    /// The build's key in the ledger; the same as [`Task::stem`].
    #[must_use]
    pub fn build_key(&self) -> String {
        self.stem()
    }

    /// The message for a queue outside this process.
    ///
    /// # Errors
    /// When a field holds a secret or a name that is no file name, or the message grows over
    /// [`MAX_MESSAGE`].
    pub fn encode(&self) -> Result<Vec<u8>, TaskError> {
        self.check()?;
        let written = Written {
            version: VERSION,
            task: self,
        };
        let message = serde_json::to_vec(&written).map_err(malformed)?;
        within_limit(&message)?;
        Ok(message)
    }

    /// Reads a message of [`VERSION`] or the one before.
    ///
    /// # Errors
    /// When it is longer than [`MAX_MESSAGE`], no task, of another version, or holds what
    /// [`Task::encode`] would refuse.
    pub fn decode(message: &[u8]) -> Result<Self, TaskError> {
        Self::decode_by(VERSION, message)
    }

    /// Reads a message as a program that writes `known` does. A version only ever adds fields, each
    /// with a default for messages of the one before.
    fn decode_by(known: u64, message: &[u8]) -> Result<Self, TaskError> {
        within_limit(message)?;
        let Versioned { version } = serde_json::from_slice(message).map_err(malformed)?;
        if !readable_versions(known).any(|readable| readable == version) {
            return Err(TaskError::UnknownVersion {
                found: version,
                known,
            });
        }
        let task: Self = serde_json::from_slice(message).map_err(malformed)?;
        task.check()?;
        Ok(task)
    }

    fn check(&self) -> Result<(), TaskError> {
        if Url::parse(&self.registry)
            .is_ok_and(|url| !url.username().is_empty() || url.password().is_some())
        {
            return refused("registry", "credentials do not travel in messages");
        }
        if self.plan > MAX_PLAN {
            return refused("plan", "no plan has so high a number");
        }
        self.check_source()?;
        if !self.channel.split('/').all(is_component) {
            return refused("channel", "each part must be a plain name");
        }
        if !is_component(&self.subdir) {
            return refused("subdir", "must be a plain name");
        }
        if !is_component(&self.stem()) {
            return refused("package", "name-version-build must be a plain file name");
        }
        if !self.files.iter().all(|file| is_component(&file.file)) {
            return refused("files", "each file must be a plain file name");
        }
        Ok(())
    }

    fn check_source(&self) -> Result<(), TaskError> {
        let remote = match self.source.scheme() {
            "http" | "https" | "oci" | "oci+http" => true,
            "file" | "oci+file" => false,
            _ => {
                return refused(
                    "source",
                    "only http, https, file and their oci forms are known",
                );
            }
        };
        // `oci:x/` has a path that nothing can be put behind.
        if self.source.cannot_be_a_base() || !self.source.path().ends_with('/') {
            return refused("source", "must be a folder and end with `/`");
        }
        // What redaction would change is a user, a password, a query or a conda token.
        if remote && mirror_runtime::redact::url(&self.source) != self.source.as_str() {
            return refused("source", "credentials do not travel in messages");
        }
        Ok(())
    }
}

/// Whether `name` can stand between two slashes of a path without leaving its folder.
fn is_component(name: &str) -> bool {
    let plain = |c: char| c != '/' && c != '\\' && !c.is_control();
    !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && name.chars().all(plain)
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn within_limit(message: &[u8]) -> Result<(), TaskError> {
    if message.len() > MAX_MESSAGE {
        return Err(TaskError::TooLarge {
            size: message.len(),
            limit: MAX_MESSAGE,
        });
    }
    Ok(())
}

fn malformed(error: serde_json::Error) -> TaskError {
    TaskError::Malformed {
        cause: error.to_string(),
    }
}

fn refused(field: &'static str, why: &'static str) -> Result<(), TaskError> {
    Err(TaskError::Refused { field, why })
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
