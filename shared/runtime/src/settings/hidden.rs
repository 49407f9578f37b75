//! Settings that are secrets, as a whole or in part: an address with a password in it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use super::variable;
use crate::redact::Secret;

/// Bytes that are read of a secret's file: a password or an address has some hundred.
const MAX_BYTES: u64 = 64 * 1024;

/// A setting that is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Hidden(pub Secret);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Secret::new(text)))
    }
}

/// A file that was to hold a secret and does not.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// It cannot be read.
    #[error("{variable}: cannot read {}: {cause}", path.display())]
    Unreadable {
        /// Which variable names it.
        variable: String,
        /// The file.
        path: PathBuf,
        /// What came back.
        cause: String,
    },
    /// It has nothing in it, or too much.
    #[error("{variable}: {} holds {problem}", path.display())]
    NoSecret {
        /// Which variable names it.
        variable: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The setting and its file were both given.
    #[error("{setting} and {setting}_FILE are both set; keep one")]
    Both {
        /// The variable of the setting.
        setting: String,
    },
}

/// The secret of variable `name`: from the variable, or the file that `<name>_FILE` names, as orchestrators mount
/// secrets. White space around it is not part of it. `None`: neither is set, or to nothing.
///
/// # Errors
/// When both are set, or the file holds no secret.
pub fn secret(name: &str) -> Result<Option<Secret>, SettingError> {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (value, file) = (read(name), read(&format!("{name}_FILE")));
    match (value, file) {
        (Some(_), Some(_)) => Err(SettingError::Both {
            setting: name.to_owned(),
        }),
        (Some(value), None) => Ok(Some(Secret::new(value))),
        (None, Some(file)) => from_file(&format!("{name}_FILE"), Path::new(&file)).map(Some),
        (None, None) => Ok(None),
    }
}

impl Hidden {
    /// What was `given` for `option` on the command line, by its variable or in a configuration; else what the file of its
    /// variable holds.
    ///
    /// # Errors
    /// When that file holds no secret, or was named beside the variable itself.
    pub fn or_from_file(given: Option<Self>, option: &str) -> Result<Option<Secret>, SettingError> {
        match given {
            Some(Self(secret)) => Ok(Some(secret)),
            None => secret(&variable(option)),
        }
    }
}

fn from_file(variable: &str, path: &Path) -> Result<Secret, SettingError> {
    let unreadable = |error: std::io::Error| SettingError::Unreadable {
        variable: variable.to_owned(),
        path: path.to_owned(),
        cause: format!("{error}; {}", crate::local::remedy(&error)),
    };
    let no_secret = |problem| SettingError::NoSecret {
        variable: variable.to_owned(),
        path: path.to_owned(),
        problem,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::Read::take(file, MAX_BYTES + 1), &mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(no_secret("more than any secret has"));
    }
    match text.trim() {
        "" => Err(no_secret("nothing")),
        secret => Ok(Secret::new(secret)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_gives_its_secret_without_the_white_space_around_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "  hunter2\n").unwrap();
        let secret = from_file("X_FILE", &path).unwrap();
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_file_without_a_secret_is_named_with_its_variable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let said = |path: &Path| from_file("X_FILE", path).unwrap_err().to_string();
        let absent = said(&path);
        std::fs::write(&path, "\n").unwrap();
        let empty = said(&path);
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        let long = said(&path);
        for text in [absent, empty, long] {
            assert!(text.contains("X_FILE") && text.contains("secret"), "{text}");
            assert!(!text.contains("xxx"), "{text}");
        }
    }

    #[test]
    fn a_hidden_setting_does_not_show() {
        let hidden: Hidden = "hunter2".parse().unwrap();
        assert!(!format!("{hidden:?}").contains("hunter2"));
    }
}
