//! The login that the environment gives.

use mirror_runtime::settings::{SettingError, secret};

use super::auth::Credentials;

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
}

impl Credentials {
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
            (Some(user), Some(password)) => Ok(Some(Self {
                username: user.expose().to_owned(),
                password,
            })),
            (None, None) => Ok(None),
            (Some(_), None) => half(user, password),
            (None, Some(_)) => half(password, user),
        }
    }
}
