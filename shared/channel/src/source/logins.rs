//! Logins at private channels, from where rattler, pixi and mamba's users keep them: `RATTLER_AUTH_FILE`,
//! `~/.rattler/credentials.json`, `~/.netrc`. Each is shown to its own host and to no other, redirects included: headers do
//! not follow one to another host, and a token in the path stays in the address that was asked.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rattler_networking::authentication_storage::backends::file::{FileStorage, FileStorageError};
use rattler_networking::authentication_storage::backends::netrc::NetRcStorage;
use rattler_networking::{Authentication, AuthenticationStorage};
use reqwest::{Client, RequestBuilder};
use url::Url;

/// The logins of a process; by default none.
#[derive(Clone, Default)]
pub struct SourceLogins(Option<Arc<AuthenticationStorage>>);

/// Logins that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the logins for private channels in {}: {problem}", path.display())]
pub struct SourceLoginsError {
    path: PathBuf,
    problem: String,
}

impl SourceLoginsError {
    /// The parser's own words may show what stands there.
    fn of(path: PathBuf, error: &FileStorageError) -> Self {
        let problem = match error {
            FileStorageError::JSONError(_, error) => {
                format!("line {} is not as rattler writes it", error.line())
            }
            FileStorageError::IOError(error) => error.to_string(),
        };
        Self { path, problem }
    }
}

/// What is stored is secret.
impl fmt::Debug for SourceLogins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.is_some();
        f.debug_tuple("SourceLogins").field(&kept).finish()
    }
}

impl SourceLogins {
    /// Those that rattler's tools would use here. The keyring of a desktop is not asked.
    ///
    /// # Errors
    /// When the file that `RATTLER_AUTH_FILE` names cannot be used.
    pub fn of_process() -> Result<Self, SourceLoginsError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = variable("HOME").map(PathBuf::from);
        Self::read(
            variable("RATTLER_AUTH_FILE"),
            variable("NETRC"),
            home.as_deref(),
        )
    }

    /// `named` has to be usable; what is in the home folder is passed over with a warning if it is not.
    fn read(
        named: Option<OsString>,
        netrc: Option<OsString>,
        home: Option<&Path>,
    ) -> Result<Self, SourceLoginsError> {
        let mut storage = AuthenticationStorage::empty();
        if let Some(path) = named.map(PathBuf::from) {
            let opened = FileStorage::from_path(path.clone());
            storage.add_backend(Arc::new(
                opened.map_err(|error| SourceLoginsError::of(path, &error))?,
            ));
        }
        if let Some(path) = home.map(|home| home.join(".rattler/credentials.json")) {
            match FileStorage::from_path(path.clone()) {
                Ok(opened) => storage.add_backend(Arc::new(opened)),
                Err(error) => tracing::warn!("{}", SourceLoginsError::of(path, &error)),
            }
        }
        let netrc = netrc.map(PathBuf::from);
        let netrc = netrc.or_else(|| home.map(|home| home.join(".netrc")));
        if let Some(path) = netrc.filter(|path| path.is_file()) {
            match NetRcStorage::from_path(&path) {
                Ok(opened) => storage.add_backend(Arc::new(opened)),
                // Its own words may show a line of it.
                Err(_) => tracing::warn!("the logins in {} are not understood", path.display()),
            }
        }
        Ok(Self(Some(Arc::new(storage))))
    }

    /// A GET of `url` with the login that its host has, if it has one. What the address itself carries goes before.
    pub(super) async fn get(&self, client: &Client, url: &Url) -> RequestBuilder {
        let Some(login) = self.login(url).await else {
            return client.get(url.clone());
        };
        match login {
            Authentication::CondaToken(token) => client.get(with_token(url, &token)),
            Authentication::BearerToken(token) => client.get(url.clone()).bearer_auth(token),
            Authentication::OAuth { access_token, .. } => {
                client.get(url.clone()).bearer_auth(access_token)
            }
            Authentication::BasicHTTP { username, password } => {
                client.get(url.clone()).basic_auth(username, Some(password))
            }
            // For s3:// addresses, which are no channels here.
            Authentication::S3Credentials { .. } => client.get(url.clone()),
        }
    }

    async fn login(&self, url: &Url) -> Option<Authentication> {
        let has_own = !url.username().is_empty() || has_token(url);
        let storage = self.0.as_ref().filter(|_| !has_own)?;
        // OAuth tokens that lapsed are renewed on the way.
        let (_, login) = storage.get_by_url_refreshed(url.clone()).await.ok()?;
        login
    }
}

fn has_token(url: &Url) -> bool {
    url.path().starts_with("/t/")
}

/// `/t/<token>/` before the path, as conda's servers take it.
fn with_token(url: &Url, token: &str) -> Url {
    let mut with = url.clone();
    with.set_path(&format!("/t/{token}{}", url.path()));
    with
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_goes_before_the_path_and_only_once() {
        let url: Url = "https://c.example/ch/noarch/a-1!2-0.conda".parse().unwrap();
        let with = with_token(&url, "secret");
        assert_eq!(
            with.as_str(),
            "https://c.example/t/secret/ch/noarch/a-1!2-0.conda"
        );
        assert!(has_token(&with) && !has_token(&url));
    }

    #[test]
    fn logins_do_not_show() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.json");
        std::fs::write(&path, r#"{"c.example": {"BearerToken": "hunter2"}}"#).unwrap();
        let logins = SourceLogins::read(Some(path.clone().into()), None, None).unwrap();
        assert!(!format!("{logins:?}").contains("hunter2"));
        std::fs::write(&path, r#"{"c.example": {"hunter2": 1}}"#).unwrap();
        let error = SourceLogins::read(Some(path.into()), None, None).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("auth.json") && !said.contains("hunter2"),
            "{said}"
        );
    }
}
