//! Barriers in front of requests: a test waits until one is held, does what it
//! has to, and lets it go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::faults::Fault;

/// How long [`Hold::held`] waits before it calls the test wrong.
const HELD_DEADLINE: Duration = Duration::from_secs(60);

/// Where a held request waits.
#[derive(Clone, Copy, Debug)]
pub enum HoldPoint {
    /// Before it is looked at.
    Arrival,
    /// After this many bytes of the request's body (PUT, PATCH, POST) or of
    /// the response's (GET).
    Body(u64),
    /// After it was processed, before it is answered.
    Answer,
}

/// The two ends of a hold.
#[derive(Debug)]
pub struct HoldState {
    held: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

impl HoldState {
    pub(super) async fn wait(&self) {
        self.held.send_modify(|count| *count += 1);
        let mut released = self.released.subscribe();
        // An error means that the other end is gone, which releases as well.
        let _ = released.wait_for(|released| *released).await;
    }
}

/// A barrier in front of some requests. Dropping it lets them go.
#[derive(Debug)]
pub struct Hold {
    state: Arc<HoldState>,
}

impl Hold {
    pub(super) fn at(point: HoldPoint) -> (Self, Fault) {
        let state = Arc::new(HoldState {
            held: watch::Sender::new(0),
            released: watch::Sender::new(false),
        });
        let fault = Fault::Hold(point, Arc::clone(&state));
        (Self { state }, fault)
    }

    /// Waits until a request is held.
    ///
    /// # Panics
    /// If none was after a minute.
    pub async fn held(&self) {
        self.held_count(1).await;
    }

    /// Waits until `count` requests were held so far.
    ///
    /// # Panics
    /// If they were not after a minute.
    pub async fn held_count(&self, count: usize) {
        let mut held = self.state.held.subscribe();
        let enough = held.wait_for(|held| *held >= count);
        let in_time = tokio::time::timeout(HELD_DEADLINE, enough).await.is_ok();
        assert!(
            in_time,
            "{count} requests were to be held within {HELD_DEADLINE:?}, {} were",
            { *self.state.held.borrow() }
        );
    }

    /// Requests held so far.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.state.held.borrow()
    }

    /// Lets all held requests go, and all that come.
    pub fn release(&self) {
        self.state.released.send_replace(true);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}
