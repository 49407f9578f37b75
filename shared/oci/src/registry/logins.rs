//! Which login a registry is shown, found in the order of the tools in the field: what the user gave outright, then the
//! files in which `docker login`, `podman login` and their credential helpers keep theirs.

use std::ffi::OsString;

use super::auth::Credentials;
use super::auth_files::{find, places};
use super::environment::LoginError;

/// Where logins come from.
#[derive(Debug, Clone, Default)]
pub struct Logins {
    given: Option<Credentials>,
}

impl Logins {
    /// The logins of this process: `--username` and `--password-stdin`, else `ORAS_USER` and `ORAS_PASS`, else, for each
    /// registry its own, `REGISTRY_AUTH_FILE`, Docker's `config.json` and Podman's `auth.json`.
    ///
    /// # Errors
    /// When half a login is given, or one that cannot be read.
    pub fn of_process(username: Option<&str>, password_stdin: bool) -> Result<Self, LoginError> {
        let given = Credentials::given(username, password_stdin, std::io::stdin())?;
        Ok(Self {
            given: match given {
                Some(given) => Some(given),
                None => Credentials::from_environment()?,
            },
        })
    }

    /// The logins at registries that are read from and not pushed to: `ORAS_SOURCE_USER` and `ORAS_SOURCE_PASS`, else for each
    /// registry its own from the same files. What is meant for the registry that is pushed to goes to no other.
    ///
    /// # Errors
    /// When half a login is given, or one that cannot be read.
    pub fn of_source() -> Result<Self, LoginError> {
        let given = Credentials::of_source_from_environment()?;
        Ok(Self { given })
    }

    /// Whether a login was given outright, which names no registry: it must be shown to none but the user's.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// The login for repositories below `host/namespace`, if there is one. May run a credential helper: it blocks, for a
    /// minute at the most.
    ///
    /// # Errors
    /// When `REGISTRY_AUTH_FILE` cannot be used. Another file that cannot be is passed over with a warning: it may be
    /// about other registries.
    pub fn of(&self, host: &str, namespace: &str) -> Result<Option<Credentials>, LoginError> {
        match &self.given {
            Some(given) => Ok(Some(given.clone())),
            None => in_files(|name| std::env::var_os(name), host, namespace),
        }
    }
}

fn in_files(
    variable: impl Fn(&str) -> Option<OsString>,
    host: &str,
    namespace: &str,
) -> Result<Option<Credentials>, LoginError> {
    for place in places(variable) {
        match find(&place.path, host, namespace) {
            Ok(None) => {}
            Ok(Some(found)) => {
                tracing::debug!(host, file = %place.path.display(), "login found");
                return Ok(Some(found));
            }
            Err(problem) if place.is_named => {
                let path = place.path;
                return Err(LoginError::File { path, problem });
            }
            Err(problem) => {
                tracing::warn!(host, file = %place.path.display(), "no login is taken from there: {problem}");
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;
    use std::path::Path;

    use super::*;

    /// `me:<password>` as `docker login` writes it.
    fn entry(host: &str, password: &str) -> String {
        use base64::Engine as _;
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("me:{password}"));
        format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#)
    }

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn password(home: &Path, variables: &[(&str, &str)], host: &str) -> Option<String> {
        let mut all: HashMap<String, OsString> = HashMap::new();
        all.insert("HOME".to_owned(), home.into());
        for (name, value) in variables {
            all.insert((*name).to_owned(), home.join(value).into());
        }
        let found = in_files(|name| all.get(name).cloned(), host, "ns").unwrap();
        found.map(|found| found.password.expose().to_owned())
    }

    #[test]
    fn files_are_asked_in_order_and_each_for_its_own_registries() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let of = |host| password(home, &[("REGISTRY_AUTH_FILE", "named.json")], host);
        write(&home.join("named.json"), &entry("a.example", "named"));
        write(
            &home.join(".docker/config.json"),
            &entry("b.example", "docker"),
        );
        write(
            &home.join(".config/containers/auth.json"),
            &entry("b.example", "podman"),
        );
        assert_eq!(of("a.example").as_deref(), Some("named"));
        assert_eq!(of("b.example").as_deref(), Some("docker"));
        assert_eq!(of("c.example"), None);
        write(&home.join(".docker/config.json"), "{}");
        assert_eq!(of("b.example").as_deref(), Some("podman"));
    }

    #[test]
    fn podmans_session_goes_before_its_home_and_docker_may_live_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let elsewhere = [("XDG_RUNTIME_DIR", "run"), ("DOCKER_CONFIG", "other")];
        write(
            &home.join(".config/containers/auth.json"),
            &entry("a.example", "home"),
        );
        write(
            &home.join("run/containers/auth.json"),
            &entry("a.example", "session"),
        );
        assert_eq!(
            password(home, &elsewhere, "a.example").as_deref(),
            Some("session")
        );
        write(
            &home.join("other/config.json"),
            &entry("a.example", "docker"),
        );
        assert_eq!(
            password(home, &elsewhere, "a.example").as_deref(),
            Some("docker")
        );
    }

    #[test]
    fn a_file_that_was_named_must_be_usable_and_another_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("auth.json");
        write(&path, r#"{"auths": {"a.example": {"auth": "hunter2!"}}}"#);
        let variables = |name: &str| (name == "REGISTRY_AUTH_FILE").then(|| path.clone().into());
        let error = in_files(variables, "a.example", "")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("auth.json") && error.contains("a.example"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
        write(&home.path().join(".docker/config.json"), "not JSON");
        assert_eq!(password(home.path(), &[], "a.example"), None);
    }

    #[test]
    fn a_login_given_outright_is_for_whatever_registry_the_user_names() {
        let given = Credentials::new("me", mirror_runtime::Secret::new("outright"));
        let logins = Logins { given: Some(given) };
        let found = logins.of("a.example", "").unwrap().unwrap();
        assert_eq!(found.password.expose(), "outright");
    }
}
