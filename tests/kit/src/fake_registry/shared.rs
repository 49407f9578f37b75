//! What all connections of one registry share.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::http::StatusCode;

use super::answer::{Refusal, error};
use super::faults::Script;
use super::limit::Bucket;
use super::log::RequestLog;
use super::options::{Options, STORAGE_HOST};
use super::store::Store;
use super::tokens::Tokens;
use super::view::RegistryView;

/// Called with the registry, the repository and the tag or digest.
pub(super) type Hook = Box<dyn Fn(&RegistryView, &str, &str) + Send + Sync>;

/// What all connections share.
pub(super) struct Shared {
    pub(super) addr: SocketAddr,
    pub(super) options: Options,
    pub(super) store: Store,
    pub(super) log: Arc<RequestLog>,
    pub(super) script: Script,
    pub(super) writes: Bucket,
    pub(super) tokens: Tokens,
    pub(super) hooks: Mutex<Vec<Arc<Hook>>>,
    /// What hooks said when they panicked.
    pub(super) hook_failures: Mutex<Vec<String>>,
    publications: Mutex<()>,
    numbers: AtomicU64,
    /// For hooks, which get a view of this.
    pub(super) myself: Weak<Shared>,
}

impl Shared {
    pub(super) fn new(addr: SocketAddr, options: Options) -> io::Result<Arc<Self>> {
        let store = Store::new()?;
        Ok(Arc::new_cyclic(|myself| Self {
            addr,
            options,
            store,
            log: Arc::default(),
            script: Script::default(),
            writes: Bucket::default(),
            tokens: Tokens::default(),
            hooks: Mutex::default(),
            hook_failures: Mutex::default(),
            publications: Mutex::default(),
            numbers: AtomicU64::new(1),
            myself: myself.clone(),
        }))
    }

    /// A name that this registry has not used yet.
    pub(super) fn unique(&self, word: &str) -> String {
        format!("{word}-{}", self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// The URL of this server as the client sees it. A `Host` that is not our
    /// own address came through a proxy that terminates TLS.
    pub(super) fn base(&self, host: &str) -> String {
        if host.is_empty() {
            return format!("http://{}", self.addr);
        }
        let ours = host.ends_with(&format!(":{}", self.addr.port()));
        format!("{}://{host}", if ours { "http" } else { "https" })
    }

    /// The URL of the storage host.
    pub(super) fn storage_base(&self) -> String {
        format!("http://{STORAGE_HOST}:{}", self.addr.port())
    }

    /// Taken from storing a manifest to the end of its hooks.
    pub(super) fn publications(&self) -> MutexGuard<'_, ()> {
        self.publications
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn run_hooks(&self, repository: &str, reference: &str) -> Result<(), Refusal> {
        let hooks = self
            .hooks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(shared) = self.myself.upgrade() else {
            return Ok(());
        };
        let view = RegistryView::of(shared);
        for hook in hooks {
            let run = std::panic::AssertUnwindSafe(|| hook(&view, repository, reference));
            let Err(panic) = std::panic::catch_unwind(run) else {
                continue;
            };
            let said = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "a panic without text".to_owned());
            let failure = format!("at the PUT of {repository}:{reference}: {said}");
            let mut failures = self
                .hook_failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            failures.push(failure.clone());
            return Err(error(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", failure).into());
        }
        Ok(())
    }
}
