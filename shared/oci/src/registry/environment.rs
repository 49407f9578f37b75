//! The login that the user gave outright: options of the command line, or variables.

use std::io::Read;
use std::path::PathBuf;

use mirror_runtime::Secret;
use mirror_runtime::settings::{SettingError, secret};

use super::auth::Credentials;

/// Most bytes of a password on standard input: tokens have some thousand.
const MAX_PASSWORD: u64 = 64 * 1024;

/// A login that is only half there, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// A variable names a file without a secret.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// One of user and password is missing.
    #[error("{set} is set and {missing} is not; set both or neither")]
    Half {
        /// The variable that is set.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// One of the two options of a login is missing.
    #[error(
        "{given} is given and {missing} is not; give both, as in: echo \"$TOKEN\" | … --username me --password-stdin"
    )]
    HalfGiven {
        /// The option that is given.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Nothing usable came on standard input.
    #[error("--password-stdin: {0}")]
    Stdin(String),
    /// A file with logins that the user named cannot be used.
    #[error("the logins in {}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, or with the helper that it names.
        problem: String,
    },
}

impl Credentials {
    /// What was given with `--username` and `--password-stdin`: the user, and the first line of `input`.
    ///
    /// # Errors
    /// When only one of them was given, or no password comes.
    pub fn given(
        username: Option<&str>,
        password_stdin: bool,
        input: impl Read,
    ) -> Result<Option<Self>, LoginError> {
        let half = |given, missing| Err(LoginError::HalfGiven { given, missing });
        match (username, password_stdin) {
            (None, false) => Ok(None),
            (Some(_), false) => half("--username", "--password-stdin"),
            (None, true) => half("--password-stdin", "--username"),
            (Some(username), true) => Ok(Some(Self::new(username, first_line(input)?))),
        }
    }

    /// `ORAS_USER` and `ORAS_PASS`, or the files that `ORAS_USER_FILE` and `ORAS_PASS_FILE` name; both or neither.
    ///
    /// # Errors
    /// When only one of them is set, or a file holds nothing.
    pub fn from_environment() -> Result<Option<Self>, LoginError> {
        Self::of_variables("ORAS_USER", "ORAS_PASS")
    }

    /// The login at the registry that is read from, where that is another one: `ORAS_SOURCE_USER` and `ORAS_SOURCE_PASS`,
    /// in the same way.
    ///
    /// # Errors
    /// As [`Credentials::from_environment`].
    pub fn of_source_from_environment() -> Result<Option<Self>, LoginError> {
        Self::of_variables("ORAS_SOURCE_USER", "ORAS_SOURCE_PASS")
    }

    fn of_variables(
        user: &'static str,
        password: &'static str,
    ) -> Result<Option<Self>, LoginError> {
        let half = |set, missing| Err(LoginError::Half { set, missing });
        match (secret(user)?, secret(password)?) {
            (Some(user), Some(password)) => Ok(Some(Self::new(user.expose(), password))),
            (None, None) => Ok(None),
            (Some(_), None) => half(user, password),
            (None, Some(_)) => half(password, user),
        }
    }
}

fn first_line(input: impl Read) -> Result<Secret, LoginError> {
    let refused = |why: String| LoginError::Stdin(why);
    let mut text = String::new();
    input
        .take(MAX_PASSWORD + 1)
        .read_to_string(&mut text)
        .map_err(|error| refused(format!("standard input cannot be read: {error}")))?;
    if text.len() as u64 > MAX_PASSWORD {
        return Err(refused("more comes than any password has".to_owned()));
    }
    match text
        .lines()
        .next()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        Some(line) => Ok(Secret::new(line)),
        None => Err(refused("no password comes on standard input".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_password_is_the_first_line_of_what_comes() {
        let given = Credentials::given(Some("me"), true, &b"hunter2\r\nmore"[..]).unwrap();
        let given = given.unwrap();
        assert_eq!(
            (given.username.as_str(), given.password.expose()),
            ("me", "hunter2")
        );
        assert!(Credentials::given(None, false, &b""[..]).unwrap().is_none());
    }

    #[test]
    fn half_a_login_is_told_with_the_other_half() {
        let said = |user, stdin, input: &[u8]| {
            let refused = Credentials::given(user, stdin, input).unwrap_err();
            refused.to_string()
        };
        assert!(said(Some("me"), false, b"").contains("--password-stdin is not"));
        assert!(said(None, true, b"x").contains("--username is not"));
        assert!(said(Some("me"), true, b"\n").contains("no password"));
        let long = said(Some("me"), true, &vec![b'x'; 70_000]);
        assert!(
            long.contains("more comes") && !long.contains("xxx"),
            "{long}"
        );
    }
}
