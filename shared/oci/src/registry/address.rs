//! What a user may write after `--registry`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use mirror_runtime::redact;
use url::Url;

use crate::layout::is_component;

/// Where packages are pushed to, as written by the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A registry.
    Registry(RegistryAddress),
    /// `oci:FOLDER`, a folder of OCI image layouts.
    Folder(PathBuf),
    /// `channel:FOLDER`, below which channel folders are, as packages that are pulled from a mirror are kept.
    Channel(PathBuf),
}

/// A registry and a namespace in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    /// `https://host[:port]/`; plain `http` only when the user wrote so.
    pub base: Url,
    /// Path components before the channel; may be empty.
    pub namespace: String,
}

/// An address that cannot be used, and how to write one.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a host and path.
    #[error(
        "registry `{0}` is no `host[:port]/namespace`, `https://…`, `http://…` or `oci:FOLDER`"
    )]
    Malformed(String),
    /// User, password, query or fragment in the address.
    #[error(
        "registry `{0}` carries a user, password, query or fragment; set ORAS_USER and ORAS_PASS instead"
    )]
    Credentials(String),
    /// A namespace registries do not take.
    #[error(
        "namespace `{0}` cannot be part of a repository name (lower-case letters, digits, single separators)"
    )]
    Namespace(String),
    /// `oci:` without a folder.
    #[error("`oci:` needs a folder, as in `oci:./mirror`")]
    NoFolder,
}

impl RegistryAddress {
    /// Whether it is Docker Hub, which has no nested repositories.
    #[must_use]
    pub fn is_docker_hub(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        ["docker.io", "docker.com"]
            .iter()
            .any(|hub| host == *hub || host.strip_suffix(hub).is_some_and(|h| h.ends_with('.')))
    }

    /// `host[:port]`, as budgets, ledgers and messages name the registry.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        match self.base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(folder) = text.strip_prefix("oci:") {
            if folder.is_empty() || folder.starts_with("//") {
                return Err(AddressError::NoFolder);
            }
            return Ok(Self::Folder(folder.into()));
        }
        if let Some(folder) = text.strip_prefix("channel:/") {
            return Ok(Self::Channel(format!("/{folder}").into()));
        }
        let malformed = || AddressError::Malformed(redact::text(text));
        // Paths: `oci:` was forgotten.
        if text.starts_with(['.', '/']) {
            return Err(malformed());
        }
        let with_scheme = match text.split_once("://") {
            Some(("http" | "https", _)) => text.to_owned(),
            Some(_) => return Err(malformed()),
            None => format!("https://{text}"),
        };
        let mut base = Url::parse(&with_scheme).map_err(|_| malformed())?;
        let plain = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        if !plain {
            return Err(AddressError::Credentials(redact::text(&with_scheme)));
        }
        let namespace = base.path().trim_matches('/').to_owned();
        if !namespace.is_empty()
            && let Some(bad) = namespace.split('/').find(|part| !is_component(part))
        {
            return Err(AddressError::Namespace(bad.to_owned()));
        }
        base.set_path("/");
        Ok(Self::Registry(RegistryAddress { base, namespace }))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "oci:{}", folder.display()),
            Self::Channel(folder) => write!(f, "channel:{}", folder.display()),
            Self::Registry(registry) => {
                if registry.base.scheme() == "http" {
                    f.write_str("http://")?;
                }
                f.write_str(&registry.host())?;
                if !registry.namespace.is_empty() {
                    write!(f, "/{}", registry.namespace)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_documented_spelling_is_understood() {
        for (text, shown) in [
            ("ghcr.io/myorg", "ghcr.io/myorg"),
            ("https://ghcr.io/a/b/", "ghcr.io/a/b"),
            ("http://127.0.0.1:5000/ns", "http://127.0.0.1:5000/ns"),
            ("localhost:5000", "localhost:5000"),
            ("oci:./mirror", "oci:./mirror"),
            ("channel:/srv/cache", "channel:/srv/cache"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_showing_secrets() {
        for text in [
            "",
            "./mirror",
            "ftp://x/y",
            "oci:",
            "ghcr.io/MyOrg",
            "https://x/y?z=1",
            "https:///",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        let error = "https://me:hunter2@ghcr.io/x"
            .parse::<Address>()
            .unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
