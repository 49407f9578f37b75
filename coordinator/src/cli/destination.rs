//! From `--registry` and `--user` to an address.

use std::path::Path;

use mirror_oci::registry::{Address, AddressError};

use super::config::oci_folder;
use super::said::Said;
use super::shown;

/// Where the mirror goes, if anybody said so.
///
/// # Errors
/// What is no address, with what was probably meant and without anything that may be a secret.
pub(super) fn destination(
    registry: Option<&str>,
    user: Option<&str>,
    said: Said,
) -> anyhow::Result<Option<Address>> {
    match (registry, user) {
        (Some(registry), _) => read(registry, said).map(Some),
        (None, Some(user)) => of_user(user, said).map(Some),
        (None, None) => Ok(None),
    }
}

fn read(registry: &str, said: Said) -> anyhow::Result<Address> {
    let key = said.key("registry");
    if let Some(folder) = oci_folder(registry) {
        return Ok(Address::Folder(folder.into()));
    }
    if let Some(address) = registry.strip_prefix("oci://") {
        anyhow::bail!(
            "{key} `{}` is an address to install from; write {} for that registry, or oci:./FOLDER for a folder",
            shown(registry),
            shown(address)
        );
    }
    if registry.starts_with(['.', '/', '~']) {
        anyhow::bail!(
            "{key} `{registry}` is a path; for a folder of OCI image layouts write {}",
            said.with("registry", &format!("oci:{registry}"))
        );
    }
    anyhow::ensure!(
        !registry.starts_with("channel:"),
        "{key} `{registry}` is no registry; into a channel folder copies `conda-oci pull-cache`"
    );
    let address = registry.parse();
    if let Ok(Address::Registry(registry)) = &address {
        anyhow::ensure!(
            !registry.is_docker_hub(),
            "{key}: Docker Hub has repositories of the form namespace/name only, and a mirror needs namespace/channel/subdir/name: \
             nothing can be mirrored there; most other registries will do (ghcr.io, Quay, Harbor, zot, distribution)"
        );
    }
    if address.is_ok() && !registry.contains('/') && Path::new(registry).is_dir() {
        tracing::warn!(
            "{key} `{registry}` is taken for a host; for the folder write oci:./{registry}"
        );
    }
    address.map_err(|error| anyhow::anyhow!("{key}: {}", without_secret(error)))
}

fn of_user(user: &str, said: Said) -> anyhow::Result<Address> {
    let key = said.key("user");
    anyhow::ensure!(
        !user.is_empty() && !user.contains(['@', ':', '?', '#']),
        "{key} takes the name of a user or an organisation at ghcr.io and nothing else; the login is given as ORAS_USER \
         and ORAS_PASS"
    );
    let address = format!("ghcr.io/{user}").parse();
    address.map_err(|error| anyhow::anyhow!("{key}: {}", without_secret(error)))
}

/// A password may stand where a namespace belongs.
fn without_secret(error: AddressError) -> AddressError {
    match error {
        AddressError::Namespace(given) => AddressError::Namespace(shown(&given)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(registry: &str) -> Result<String, String> {
        let read = destination(Some(registry), None, Said::OnCommandLine);
        read.map(|address| address.unwrap().to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_folder_may_be_written_as_a_url() {
        assert_eq!(read("oci:///tmp/x").unwrap(), "oci:/tmp/x");
        assert_eq!(read("oci:./x").unwrap(), "oci:./x");
    }

    #[test]
    fn what_was_probably_meant_is_named() {
        for (registry, says) in [
            ("./x", "--registry oci:./x"),
            ("/tmp/x", "--registry oci:/tmp/x"),
            ("oci://ghcr.io/x", "ghcr.io/x for that registry"),
            ("oci:", "oci:./mirror"),
            ("ftp://x", "host[:port]/namespace"),
        ] {
            let error = read(registry).unwrap_err();
            assert!(error.contains(says), "{registry}: {error}");
        }
    }

    #[test]
    fn docker_hub_is_told_at_once_under_each_of_its_names() {
        for registry in [
            "docker.io/me",
            "index.docker.io/me",
            "https://registry-1.docker.io/me",
            "hub.docker.com",
        ] {
            let error = read(registry).unwrap_err();
            assert!(error.contains("Docker Hub"), "{registry}: {error}");
        }
        assert!(read("docker.io.example/me").is_ok());
    }

    #[test]
    fn a_login_in_the_wrong_place_is_not_repeated() {
        for registry in [
            "ghcr.io/me:hunter2@x",
            "oci://me:hunter2@ghcr.io/x",
            "https://me:hunter2@ghcr.io/x",
        ] {
            let error = read(registry).unwrap_err();
            assert!(!error.contains("hunter2"), "{registry}: {error}");
        }
        for user in ["me:hunter2@x", "me:hunter2", "me?hunter2"] {
            let error = destination(None, Some(user), Said::InFile).unwrap_err();
            let said = error.to_string();
            assert!(
                said.contains("`user`") && !said.contains("hunter2"),
                "{said}"
            );
        }
    }
}
