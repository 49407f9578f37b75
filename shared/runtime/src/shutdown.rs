//! Two-step shutdown: the first signal asks for a clean stop, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use tokio_util::sync::CancellationToken;

/// A clonable handle on the wish to stop. Parts watch [`Shutdown::requested`] and hand back what
/// they have not finished.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    signal: Arc<AtomicI32>,
}

impl Shutdown {
    /// A handle nobody has pulled yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens for SIGINT and SIGTERM. The first one requests the stop and says so on the log;
    /// the second exits with 128 + signal.
    ///
    /// # Errors
    /// When the operating system refuses the signal handlers.
    pub fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let shutdown = Self::new();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let handle = shutdown.clone();
        tokio::spawn(async move {
            loop {
                let number = tokio::select! {
                    _ = interrupt.recv() => 2,
                    _ = terminate.recv() => 15,
                };
                if handle.is_requested() {
                    std::process::exit(128 + number);
                }
                handle.signal.store(number, Ordering::SeqCst);
                tracing::warn!(
                    "stopping: what is under way ends or is given back; a second signal ends at once"
                );
                handle.token.cancel();
            }
        });
        Ok(shutdown)
    }

    /// Asks for the stop without a signal.
    pub fn request(&self) {
        self.token.cancel();
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Resolves when a stop is asked for.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// The exit code a shell expects after the signal that stopped us (130, 143), if one did.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            number => u8::try_from(128 + number).ok(),
        }
    }

    /// A handle that stops when this one does, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
            signal: Arc::clone(&self.signal),
        }
    }
}
