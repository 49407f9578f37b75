//! The mirrors that are read from, each opened once: registries, and folders of image layouts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mirror_channel::source::SourceError;
use mirror_oci::Destination;
use mirror_oci::folder::Folder;
use mirror_oci::layout::SubdirLayout;
use mirror_oci::registry::{Registry, RegistryAddress, RegistryOptions, Trust};
use mirror_runtime::HostBudget;
use url::Url;

use super::mirror::Mirror;
use super::{MirrorLogins, address};

/// Mirrors that are kept at hand.
const AT_HAND: usize = 64;

#[derive(Debug)]
pub(super) struct Mirrors {
    logins: MirrorLogins,
    trust: Trust,
    budget: Arc<dyn HostBudget>,
    open: Mutex<HashMap<String, Arc<Destination>>>,
}

impl Mirrors {
    pub(super) fn new(logins: MirrorLogins, trust: Trust, budget: Arc<dyn HostBudget>) -> Self {
        Self {
            logins,
            trust,
            budget,
            open: Mutex::default(),
        }
    }

    /// The mirror of the subdir at `url`.
    pub(super) fn of(&self, url: &Url) -> Result<Mirror, SourceError> {
        let path = url.path().trim_matches('/');
        let (channel, subdir) = path.rsplit_once('/').unwrap_or(("", path));
        let (host, channel) = match url.scheme() {
            // The folder that is opened is the channel's own.
            "oci+file" => (String::new(), ""),
            _ if channel.is_empty() => return Err(address(url, "it names no subdir of a channel")),
            _ => (host(url), channel),
        };
        let layout = SubdirLayout::new(&host, "", channel, subdir)
            .map_err(|error| address(url, error.to_string()))?;
        Ok(Mirror {
            destination: self.open(url)?,
            layout,
        })
    }

    fn open(&self, url: &Url) -> Result<Arc<Destination>, SourceError> {
        let key = match url.scheme() {
            "oci+file" => parent(url),
            scheme => format!("{scheme}://{}", host(url)),
        };
        let mut open = self.open.lock().expect("no panic under this lock");
        if let Some(destination) = open.get(&key) {
            return Ok(Arc::clone(destination));
        }
        let destination = match url.scheme() {
            "oci" | "oci+http" => self.registry(url)?,
            "oci+file" => folder(url)?,
            other => return Err(address(url, format!("`{other}` is no scheme of a source"))),
        };
        let destination = Arc::new(destination);
        if open.len() >= AT_HAND {
            open.clear();
        }
        open.insert(key, Arc::clone(&destination));
        Ok(destination)
    }

    fn registry(&self, url: &Url) -> Result<Destination, SourceError> {
        let at = address_of(url).ok_or_else(|| address(url, "it names no registry"))?;
        let options = RegistryOptions {
            credentials: self.logins.at(&at).cloned(),
            trust: self.trust.clone(),
            // Nothing is sent there.
            max_chunk: None,
        };
        let registry = Registry::new(&at, options, Arc::clone(&self.budget));
        let registry = registry.map_err(|error| {
            let why = format!("no client for it can be set up: {error}");
            address(url, why)
        })?;
        Ok(Destination::Registry(Box::new(registry.for_reading())))
    }
}

fn folder(url: &Url) -> Result<Destination, SourceError> {
    let path = Url::parse(&format!("file://{}", parent(url)))
        .ok()
        .and_then(|url| url.to_file_path().ok());
    let path = path.ok_or_else(|| address(url, "it names no folder of this machine"))?;
    match Folder::open_source(&path) {
        Ok(folder) => Ok(Destination::Folder(folder)),
        Err(error) => Err(address(url, error.to_string())),
    }
}

/// The registry that an address of a mirror (`oci`, `oci+http`) names, and the path in it; without a port that is the scheme's
/// own, as logins and destinations are known by.
#[must_use]
pub fn address_of(url: &Url) -> Option<RegistryAddress> {
    let scheme = match url.scheme() {
        "oci" => "https",
        "oci+http" => "http",
        _ => return None,
    };
    Some(RegistryAddress {
        base: Url::parse(&format!("{scheme}://{}/", host(url))).ok()?,
        namespace: url.path().trim_matches('/').to_owned(),
    })
}

/// The path of the folder that the subdir is in.
fn parent(url: &Url) -> String {
    let path = url.path().trim_end_matches('/');
    let end = path.rfind('/').map_or(0, |slash| slash + 1);
    path[..end].to_owned()
}

/// `host[:port]`.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mirror_oci::registry::Credentials;
    use mirror_runtime::MemoryHostBudget;

    fn mirror(url: &str) -> Result<Mirror, SourceError> {
        let mirrors = Mirrors::new(
            MirrorLogins::default(),
            Trust::default(),
            Arc::<MemoryHostBudget>::default(),
        );
        mirrors.of(&Url::parse(url).unwrap())
    }

    #[test]
    fn an_address_says_registry_and_place() {
        let mirror = mirror("oci+http://127.0.0.1:5000/ns/main/label/dev/linux-64/").unwrap();
        assert_eq!(mirror.destination.host(), "127.0.0.1:5000");
        assert_eq!(
            mirror.layout.index_repository(),
            "ns/main/label/dev/linux-64/repodata.json"
        );
    }

    #[test]
    fn a_folder_is_that_of_the_channel() {
        let dir = tempfile::tempdir().unwrap();
        let channel = dir.path().join("with blank").join("main");
        std::fs::create_dir_all(&channel).unwrap();
        let url = Url::from_directory_path(channel.join("noarch")).unwrap();
        let mirror = mirror(&format!("oci+{url}")).unwrap();
        assert_eq!(mirror.layout.index_repository(), "noarch/repodata.json");
        assert!(matches!(*mirror.destination, Destination::Folder(_)));
    }

    #[test]
    fn what_is_no_place_of_a_mirror_is_refused() {
        for url in [
            "oci://ghcr.io/NS/main/noarch/",
            "oci://ghcr.io/ns/main/%2e%2e/",
            "oci://ghcr.io/",
            "oci+file:///none/such/folder/noarch/",
            "oci+ftp://ghcr.io/ns/main/noarch/",
        ] {
            assert!(mirror(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_login_goes_to_its_own_host_and_without_tls_only_where_it_was_given_so() {
        let at = |url: &str| address_of(&Url::parse(url).unwrap()).unwrap();
        let login = |name: &str| Some(Credentials::new(name, mirror_runtime::Secret::new("x")));
        let logins = MirrorLogins::default()
            .with(at("oci://a.example/ns/main"), login("first"))
            .with(at("oci://a.example/ns/main"), login("second"))
            .with(at("oci+http://b.example:5000/ns"), login("plain"));
        let found = |url: &str| logins.at(&at(url)).map(|login| login.username.as_str());
        assert_eq!(found("oci://a.example/other"), Some("first"));
        assert_eq!(found("oci+http://a.example/ns/main"), None);
        assert_eq!(found("oci+http://b.example:5000/x"), Some("plain"));
        assert_eq!(found("oci://b.example:5000/x"), Some("plain"));
        assert_eq!(found("oci://b.example/ns"), None);
        assert_eq!(found("oci://c.example/ns"), None);
    }
}
