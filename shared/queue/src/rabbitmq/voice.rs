//! What the log says of the broker: one line when it is lost and one when it is back, however many connections and
//! tries there were between.

use std::sync::{Mutex, MutexGuard};

use tokio::time::Instant;

use super::session::Role;

/// The voice of one queue's connections.
#[derive(Debug)]
pub(super) struct Voice {
    broker: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    down: Vec<Role>,
    /// Since when, if the log says so.
    lost: Option<Instant>,
    blocked: bool,
}

impl Voice {
    /// Nothing is connected yet, and nobody wants to hear that.
    pub(super) fn new(broker: String) -> Self {
        let state = State {
            down: vec![Role::Publish, Role::Consume],
            lost: None,
            blocked: false,
        };
        Self {
            broker,
            state: Mutex::new(state),
        }
    }

    pub(super) fn down(&self, role: Role, cause: &str) {
        let mut state = self.lock();
        if !state.down.contains(&role) {
            state.down.push(role);
        }
        if state.lost.is_none() {
            state.lost = Some(Instant::now());
            let broker = &self.broker;
            tracing::warn!(broker, cause, "no connection to the broker; trying again");
        } else {
            tracing::debug!(broker = self.broker, ?role, cause, "no connection yet");
        }
    }

    pub(super) fn up(&self, role: Role) {
        let mut state = self.lock();
        state.down.retain(|down| *down != role);
        if state.down.is_empty()
            && let Some(since) = state.lost.take()
        {
            let (broker, seconds) = (&self.broker, since.elapsed().as_secs());
            tracing::warn!(broker, seconds, "the broker is back");
        }
    }

    /// Only who publishes is ever blocked.
    pub(super) fn blocked(&self, role: Role, blocked: bool) {
        let mut state = self.lock();
        if role == Role::Publish && state.blocked != blocked {
            state.blocked = blocked;
            let broker = &self.broker;
            if blocked {
                tracing::warn!(
                    broker,
                    "the broker takes no tasks, it runs out of memory or disk; waiting"
                );
            } else {
                tracing::warn!(broker, "the broker takes tasks again");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the lock is held")
    }
}
