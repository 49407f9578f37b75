//! An OCI registry in the test's own process: strict to the distribution
//! specification v1.1, logged request by request, scripted to fail as real
//! registries do.
//!
//! It refuses what any real one refuses: names and tags outside the grammar,
//! manifests that name blobs the repository lacks, bytes that do not match
//! their digest, upload sessions used twice or without their `_state`. It runs
//! on a thread of its own, so that a test may block.
//!
//! ```no_run
//! # async fn test() {
//! use mirror_kit::fake_registry::{FakeRegistry, Fault, Kind, When};
//!
//! let registry = FakeRegistry::start();
//! registry.fault(When::kind(Kind::UploadPut).nth(2), Fault::too_many_requests(1));
//! // … push to registry.url() …
//! assert_eq!(registry.log().count(Kind::ManifestPut), 1);
//! # }
//! ```

mod answer;
mod auth;
mod blobs;
mod body;
mod exchange;
mod faults;
mod grammar;
mod hold;
mod limit;
mod log;
mod manifests;
mod options;
mod profiles;
mod route;
mod server;
mod shared;
mod store;
mod tags;
mod tokens;
mod uploads;
mod view;
mod when;
mod witness;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use self::auth::{Anonymous, Auth, Bearer};
pub use self::faults::{Fault, Response};
pub use self::hold::Hold;
pub use self::limit::WriteLimit;
pub use self::log::{Entry, Kind, RequestLog};
pub use self::options::{Location, Mount, Options, SinglePost, Unmade};
pub use self::profiles::Vendor;
pub use self::store::{StoredManifest, sha256_digest};
pub use self::view::RegistryView;
pub use self::when::When;

use self::hold::HoldPoint;
use self::server::serve;
use self::shared::Shared;

/// A running registry on `127.0.0.1`. Its content is read through
/// [`RegistryView`], to which it dereferences. Dropping it stops it, and
/// panics if a hook failed and nobody asked
/// ([`assert_hooks_passed`](Self::assert_hooks_passed)).
pub struct FakeRegistry {
    view: RegistryView,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Deref for FakeRegistry {
    type Target = RegistryView;

    fn deref(&self) -> &RegistryView {
        &self.view
    }
}

impl FakeRegistry {
    /// A registry with the default [`Options`].
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// A registry that behaves as `options` say.
    ///
    /// # Panics
    /// If no port of `127.0.0.1` or no temporary folder is to be had.
    #[must_use]
    pub fn start_with(options: Options) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("a listener can be made non-blocking");
        let addr = listener
            .local_addr()
            .expect("a bound listener has an address");
        let shared = Shared::new(addr, options).expect("a temporary folder");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime for the fake registry");
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener);
                serve(
                    listener.expect("a listener moves into the runtime"),
                    serving,
                    stopped,
                )
                .await;
            });
            // Blocking file reads of cut downloads are not waited for.
            runtime.shutdown_background();
        });
        Self {
            view: RegistryView::of(shared),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The content, as a handle of its own.
    #[must_use]
    pub fn view(&self) -> RegistryView {
        self.view.clone()
    }

    /// Address and port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.view.shared.addr
    }

    /// `http://127.0.0.1:<port>`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// All requests so far.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        &self.view.shared.log
    }

    /// From now on `fault` happens to the requests that `when` describes; they
    /// are counted from now on. Several faults may meet one request.
    pub fn fault(&self, when: When, fault: Fault) {
        self.view.shared.script.add(when, fault);
    }

    fn hold_at(&self, when: When, point: HoldPoint) -> Hold {
        let (hold, fault) = Hold::at(point);
        self.fault(when, fault);
        hold
    }

    /// Holds requests as they arrive, before anything happens to them.
    #[must_use = "dropping it lets the requests go"]
    pub fn hold(&self, when: When) -> Hold {
        self.hold_at(when, HoldPoint::Arrival)
    }

    /// Holds requests after `bytes` of their body came (PUT, PATCH, POST) or
    /// of the response's body left (GET).
    #[must_use = "dropping it lets the requests go"]
    pub fn hold_in_body(&self, when: When, bytes: u64) -> Hold {
        self.hold_at(when, HoldPoint::Body(bytes))
    }

    /// Holds requests that were processed before they are answered.
    #[must_use = "dropping it lets the requests go"]
    pub fn hold_answer(&self, when: When) -> Hold {
        self.hold_at(when, HoldPoint::Answer)
    }

    /// Forgets all faults. What is held stays held until released.
    pub fn clear_faults(&self) {
        self.view.shared.script.clear();
    }

    /// Makes all tokens invalid that were given out so far.
    pub fn expire_tokens(&self) {
        self.view.shared.tokens.expire_all();
    }

    /// Calls `hook` with the registry, the repository and the reference at
    /// every manifest PUT, after it is stored and before it is answered. No
    /// other manifest PUT happens meanwhile. When it panics the PUT is answered
    /// 500 and the test fails at the latest when the registry is dropped.
    pub fn on_manifest_put(
        &self,
        hook: impl Fn(&RegistryView, &str, &str) + Send + Sync + 'static,
    ) {
        let mut hooks = self
            .view
            .shared
            .hooks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        hooks.push(Arc::new(Box::new(hook)));
    }

    /// # Panics
    /// If a hook panicked so far, with what it said.
    pub fn assert_hooks_passed(&self) {
        let failures = std::mem::take(
            &mut *self
                .view
                .shared
                .hook_failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        assert!(
            failures.is_empty(),
            "a hook of the fake registry failed {}",
            failures.join("\n")
        );
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        drop(self.stop.take());
        let served = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(
                !matches!(served, Some(Err(_))),
                "the fake registry's server panicked"
            );
            self.assert_hooks_passed();
        }
    }
}
