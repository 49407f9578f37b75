//! Clients of the fake registry, and what was asked of it.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use mirror_kit::fake_registry::{FakeRegistry, Kind};
use mirror_oci::registry::{Address, Credentials, Registry, RegistryOptions};
use mirror_oci::{Body, Digest};
use mirror_runtime::{HostBudget, RequestKind, Secret};

pub(crate) const USER: &str = "someone";
pub(crate) const PASSWORD: &str = "hunter2-do-not-show";
pub(crate) const REPOSITORY: &str = "ns/chan/noarch/zlib";

/// A budget that waits for nothing and notes who was parked.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    parked: Mutex<Vec<(String, SystemTime)>>,
}

impl Notes {
    pub(crate) fn parked(&self) -> Vec<(String, SystemTime)> {
        self.parked.lock().unwrap().clone()
    }
}

#[async_trait]
impl HostBudget for Notes {
    async fn admit(&self, _host: &str, _kind: RequestKind) {}

    async fn park(&self, host: &str, until: SystemTime, _why: &str) {
        self.parked.lock().unwrap().push((host.to_owned(), until));
    }

    async fn parked_until(&self, _host: &str) -> Option<SystemTime> {
        None
    }
}

pub(crate) fn client_with(
    fake: &FakeRegistry,
    password: Option<&str>,
    budget: Arc<dyn HostBudget>,
) -> Registry {
    let Address::Registry(address) = fake.url().parse().unwrap() else {
        panic!("a URL is the address of a registry");
    };
    let login = password.map(|password| Credentials::new(USER, Secret::new(password)));
    let options = RegistryOptions {
        credentials: login,
        ..RegistryOptions::default()
    };
    Registry::new(&address, options, budget).unwrap()
}

/// A client without a login.
pub(crate) fn stranger(fake: &FakeRegistry) -> Registry {
    client_with(fake, None, Arc::new(Notes::default()))
}

/// A client with the right login.
pub(crate) fn member(fake: &FakeRegistry) -> Registry {
    client_with(fake, Some(PASSWORD), Arc::new(Notes::default()))
}

pub(crate) fn blob(content: impl Into<Vec<u8>>) -> (Digest, Body) {
    let content = content.into();
    (Digest::of(&content), Body::from(content))
}

/// What was asked, in the order of arrival.
pub(crate) fn asked(fake: &FakeRegistry) -> Vec<Kind> {
    let entries = fake.log().entries();
    entries.into_iter().map(|entry| entry.kind).collect()
}

pub(crate) fn holds(fake: &FakeRegistry, repository: &str, content: &[u8]) -> bool {
    let digest = Digest::of(content).to_string();
    fake.blob(repository, &digest)
        .is_some_and(|held| held == content)
}
