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
        let half = |set, missing| Err(LoginError::Half { set, missing });
        match (secret("ORAS_USER")?, secret("ORAS_PASS")?) {
            (Some(user), Some(password)) => Ok(Some(Self {
                username: user.expose().to_owned(),
                password,
            })),
            (None, None) => Ok(None),
            (Some(_), None) => half("ORAS_USER", "ORAS_PASS"),
            (None, Some(_)) => half("ORAS_PASS", "ORAS_USER"),
        }
    }
}
