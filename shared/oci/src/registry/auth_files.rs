//! The files of `docker login` and `podman login`: which there are, and what one says about a registry. Their format and
//! the credential helpers they name are `docker_credential`'s; which key is asked for is decided here.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use mirror_runtime::Secret;
use serde_json::Value;

use super::auth::Credentials;

/// Largest file that is read, in bytes: thousands of logins.
const MAX_FILE: u64 = 4 << 20;
/// So long a credential helper may take: some ask a vault, or a person.
const HELPER_TIME: Duration = Duration::from_secs(60);
/// Under which name Docker keeps the login of its Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A file that may have logins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// The user named it: it has to be usable.
    pub(super) is_named: bool,
}

/// The files that there may be, in the order in which they are asked.
pub(super) fn places(variable: impl Fn(&str) -> Option<OsString>) -> Vec<Place> {
    let set = |name| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = set("HOME");
    let below_home = |folder: &str| home.as_ref().map(|home| home.join(folder));
    let named = set("REGISTRY_AUTH_FILE").map(|path| (path, true));
    let docker = set("DOCKER_CONFIG").or_else(|| below_home(".docker"));
    let docker = docker.map(|folder| (folder.join("config.json"), false));
    let session = set("XDG_RUNTIME_DIR");
    let configured = set("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let podman = [session, configured].into_iter().flatten();
    let podman = podman.map(|folder| (folder.join("containers/auth.json"), false));
    let all = named.into_iter().chain(docker).chain(podman);
    all.map(|(path, is_named)| Place { path, is_named })
        .collect()
}

/// The login that the file at `path` has for repositories below `host/namespace`. A file that is not there has none.
///
/// # Errors
/// When it cannot be read or understood, or its helper fails: what is wrong, without anything that may be a secret.
pub(super) fn find(
    path: &Path,
    host: &str,
    namespace: &str,
) -> Result<Option<Credentials>, String> {
    let Some(file) = read(path)? else {
        return Ok(None);
    };
    // One store keeps the logins of hosts; of paths below them it knows nothing.
    let mut without_store = file.clone();
    if let Some(members) = without_store.as_object_mut() {
        members.remove("credsStore");
    }
    for key in keys(host, namespace) {
        let file = if key.contains('/') && key != DOCKER_HUB {
            &without_store
        } else {
            &file
        };
        if let Some(found) = ask(file, &key)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Option<Value>, String> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| format!("it cannot be read: {error}"))?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    // The parser's own words may show what stands there.
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| format!("it is no JSON (line {})", error.line()))
}

/// The keys under which a login may stand, the most particular first: Podman keeps them for paths as well.
fn keys(host: &str, namespace: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = namespace;
    while !path.is_empty() {
        keys.push(format!("{host}/{path}"));
        path = path.rsplit_once('/').map_or("", |(above, _)| above);
    }
    if matches!(
        host,
        "docker.io" | "index.docker.io" | "registry-1.docker.io"
    ) {
        keys.push(DOCKER_HUB.to_owned());
    }
    keys.push(host.to_owned());
    keys
}

/// What stands under one key, or what its helper says.
fn ask(file: &Value, key: &str) -> Result<Option<Credentials>, String> {
    let (bytes, asked) = (file.to_string(), key.to_owned());
    let (tell, told) = mpsc::channel();
    // A thread of its own: a helper that hangs cannot be waited for with a limit otherwise.
    std::thread::spawn(move || tell.send(get_credential_from_reader(bytes.as_bytes(), &asked)));
    let told = told.recv_timeout(HELPER_TIME).map_err(|_| {
        let seconds = HELPER_TIME.as_secs();
        format!("its credential helper gave no answer about {key} in {seconds} s; run it by hand")
    })?;
    match told {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Credentials::new(username, Secret::new(password))))
        }
        Ok(DockerCredential::IdentityToken(token)) => {
            Ok(Some(Credentials::identity_token(Secret::new(token))))
        }
        Err(error) => unanswered(error, &helper(file, key), key),
    }
}

/// The program that a file names for a key.
fn helper(file: &Value, key: &str) -> String {
    let named = file["credHelpers"][key].as_str();
    let named = named.or_else(|| file["credsStore"].as_str());
    format!("docker-credential-{}", named.unwrap_or("…"))
}

fn unanswered(
    error: CredentialRetrievalError,
    helper: &str,
    key: &str,
) -> Result<Option<Credentials>, String> {
    use CredentialRetrievalError as Error;
    Err(match error {
        Error::NoCredentialConfigured => return Ok(None),
        // What the helpers of Docker say where they have nothing; what else they print may be a secret.
        Error::HelperFailure { stdout, .. } if stdout.contains("credentials not found") => {
            return Ok(None);
        }
        Error::HelperFailure { helper, .. } => {
            format!("{helper} fails; see what it says: echo {key} | {helper} get")
        }
        Error::HelperCommunicationError => format!(
            "{helper}, its credential helper for {key} (credHelpers, credsStore), cannot be run, or does not listen; is it installed?"
        ),
        Error::MalformedHelperResponse => {
            format!("what its credential helper says about {key} is not understood")
        }
        Error::CredentialDecodingError => {
            format!("the entry of {key} is no user and password in base64; log in there again")
        }
        Error::CredentialMismatchError => {
            format!("the entry of {key} has two different logins; log in there again")
        }
        Error::ConfigNotFound | Error::ConfigReadError => {
            "it has no logins as Docker writes them".to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(text: &str, host: &str, namespace: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.json");
        std::fs::write(&path, text).unwrap();
        let found = find(&path, host, namespace).unwrap()?;
        Some(format!("{}:{}", found.username, found.password.expose()))
    }

    #[test]
    fn the_most_particular_key_is_taken() {
        let login = |user: &str| format!(r#"{{"username": "{user}", "password": "p"}}"#);
        let text = format!(
            r#"{{"auths": {{"h:5000": {}, "h:5000/a": {}, "h:5000/a/b": {}, "https://old.example/v1/": {}}}}}"#,
            login("host"),
            login("a"),
            login("b"),
            login("old")
        );
        let of = |host, namespace| found(&text, host, namespace);
        assert_eq!(of("h:5000", "a/b/c").as_deref(), Some("b:p"));
        assert_eq!(of("h:5000", "a/x").as_deref(), Some("a:p"));
        assert_eq!(of("h:5000", "x").as_deref(), Some("host:p"));
        assert_eq!(of("h:5000", "").as_deref(), Some("host:p"));
        assert_eq!(of("old.example", "a").as_deref(), Some("old:p"));
        assert_eq!(of("h", "a"), None, "another port is another registry");
    }

    #[test]
    fn an_identity_token_is_told_from_a_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.json");
        std::fs::write(
            &path,
            r#"{"auths": {"h": {"auth": "bWU6", "identitytoken": "t"}}}"#,
        )
        .unwrap();
        let found = find(&path, "h", "").unwrap().unwrap();
        assert!(found.is_identity_token());
        assert_eq!(found.password.expose(), "t");
    }

    #[test]
    fn what_is_not_there_or_says_nothing_of_the_registry_has_no_login() {
        assert_eq!(found("{}", "h", "ns"), None);
        assert_eq!(found(r#"{"auths": {"h": {}}}"#, "h", "ns"), None);
        assert!(
            find(Path::new("/nowhere/auth.json"), "h", "ns")
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_helper_that_cannot_be_run_is_told_without_a_word_of_what_it_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, r#"{"credsStore": "of-nobody-here"}"#).unwrap();
        let problem = find(&path, "h", "ns").unwrap_err();
        assert!(
            problem.contains("credsStore") && problem.contains("installed"),
            "{problem}"
        );
        std::fs::write(&path, r#"{"auths": hunter2"#).unwrap();
        let problem = find(&path, "h", "ns").unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}
