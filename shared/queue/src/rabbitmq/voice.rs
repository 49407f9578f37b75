//! What the log says of the broker: one line when it is lost and one when it is back, however many connections and
//! tries there were between.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::session::Role;

/// The voice of one queue's connections.
#[derive(Debug)]
pub(super) struct Voice {
    broker: String,
    state: Mutex<State>,
}

/// What the connections told.
#[derive(Debug)]
struct State {
    /// Whose connection is down, or may be: it had no look at it since another one came up.
    awaited: Vec<Role>,
    /// Since when, if the log says so.
    lost: Option<Instant>,
    blocked: bool,
}

impl State {
    /// Nothing is connected yet, and nobody wants to hear that.
    fn new() -> Self {
        Self {
            awaited: Role::ALL.to_vec(),
            lost: None,
            blocked: false,
        }
    }

    /// A connection is down; whether that is news.
    fn down(&mut self, role: Role) -> bool {
        self.doubt(role);
        let news = self.lost.is_none();
        self.lost.get_or_insert_with(Instant::now);
        news
    }

    /// A connection is there anew. What cut it may have cut the others as well: they learn of it when they look next, or,
    /// where nothing was said when they were cut, by their heartbeat, and the broker is lost once more.
    fn up(&mut self, role: Role) {
        for other in Role::ALL {
            self.doubt(other);
        }
        self.awaited.retain(|awaited| *awaited != role);
    }

    /// A connection was looked at and stands. If with it all do again, how long they did not.
    fn stands(&mut self, role: Role) -> Option<Duration> {
        self.awaited.retain(|awaited| *awaited != role);
        let back = self.awaited.is_empty();
        back.then(|| self.lost.take())?.map(|since| since.elapsed())
    }

    /// Whether it is news that the broker takes no messages, or takes them again. Only who publishes is ever blocked.
    fn blocked(&mut self, role: Role, blocked: bool) -> bool {
        let news = role == Role::Publish && self.blocked != blocked;
        self.blocked ^= news;
        news
    }

    fn doubt(&mut self, role: Role) {
        if !self.awaited.contains(&role) {
            self.awaited.push(role);
        }
    }
}

impl Voice {
    pub(super) fn new(broker: String) -> Self {
        let state = Mutex::new(State::new());
        Self { broker, state }
    }

    /// A connection is down, or could not be made.
    pub(super) fn down(&self, role: Role, cause: &str) {
        let broker = &self.broker;
        if self.lock().down(role) {
            tracing::warn!(broker, cause, "no connection to the broker; trying again");
        } else {
            tracing::debug!(broker, ?role, cause, "no connection yet");
        }
    }

    /// A connection was made.
    pub(super) fn up(&self, role: Role) {
        self.lock().up(role);
    }

    /// A connection was looked at, and stands.
    pub(super) fn stands(&self, role: Role, blocked: bool) {
        let mut state = self.lock();
        let broker = &self.broker;
        if let Some(lost) = state.stands(role) {
            let seconds = lost.as_secs();
            tracing::warn!(broker, seconds, "the broker is back");
        }
        if state.blocked(role, blocked) {
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

#[cfg(test)]
mod tests {
    use super::Role::{Consume, Publish};
    use super::State;

    /// Both connections stand.
    fn standing() -> State {
        let mut state = State::new();
        for role in [Publish, Consume] {
            state.up(role);
            assert_eq!(state.stands(role), None, "nothing was lost");
        }
        assert_eq!(state.stands(Publish), None);
        state
    }

    #[test]
    fn the_broker_is_lost_once_and_back_when_the_last_connection_is() {
        let mut state = standing();
        assert!(state.down(Publish));
        assert!(!state.down(Consume));
        assert!(!state.down(Publish));
        state.up(Publish);
        assert!(state.stands(Publish).is_none());
        assert!(!state.down(Consume));
        state.up(Consume);
        assert!(state.stands(Consume).is_none());
        assert!(state.stands(Publish).is_some());
        assert!(state.stands(Consume).is_none());
    }

    #[test]
    fn a_connection_that_comes_back_before_the_other_one_finds_that_it_died_says_nothing() {
        let mut state = standing();
        assert!(state.down(Consume));
        state.up(Consume);
        assert!(state.stands(Consume).is_none());
        assert!(!state.down(Publish), "it was lost once");
        state.up(Publish);
        assert!(state.stands(Publish).is_none());
        assert!(state.stands(Consume).is_some());
    }

    #[test]
    fn a_single_connection_that_broke_is_back_when_the_other_one_was_seen_to_stand() {
        let mut state = standing();
        assert!(state.down(Consume));
        assert!(state.stands(Publish).is_none());
        state.up(Consume);
        assert!(state.stands(Consume).is_none());
        assert!(state.stands(Publish).is_some());
    }

    #[test]
    fn only_who_publishes_is_blocked_and_each_turn_is_news_once() {
        let mut state = standing();
        assert!(!state.blocked(Consume, true));
        assert!(state.blocked(Publish, true));
        assert!(!state.blocked(Publish, true));
        assert!(state.blocked(Publish, false));
        assert!(!state.blocked(Publish, false));
    }
}
