//! A connection that outlives the broker's restarts: rebuilt with its queues whenever it dies, for as long as the
//! queue is open. Who needs it waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::pauses::Pauses;
use super::session::{Role, Session, Settings};
use super::voice::Voice;
use crate::error::QueueError;

/// A session that stood for so long was a good one: the next break is a new story.
const STEADY: Duration = Duration::from_secs(10);

/// A handle on the connection of one role.
#[derive(Clone)]
pub(super) struct Link {
    state: watch::Receiver<State>,
}

enum State {
    Down(Fault),
    Up(Arc<Session>),
}

impl Link {
    /// Connects in the background until `stop`.
    pub(super) fn start(
        settings: Arc<Settings>,
        role: Role,
        voice: Arc<Voice>,
        stop: CancellationToken,
    ) -> Self {
        let fault = Fault::Passing("not connected yet".to_owned());
        let (sender, state) = watch::channel(State::Down(fault));
        tokio::spawn(async move {
            stop.run_until_cancelled(keep_up(&settings, role, &voice, &sender))
                .await;
        });
        Self { state }
    }

    /// The session, as soon as there is one.
    pub(super) async fn up(&self) -> Arc<Session> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| state.session().is_some()).await;
        match up.ok().and_then(|state| state.session()) {
            Some(session) => session,
            // The queue is dropped, and whoever waits here with it.
            None => std::future::pending().await,
        }
    }

    /// The session, if there is one now.
    pub(super) fn now(&self) -> Option<Arc<Session>> {
        self.state.borrow().session()
    }

    /// Resolves when trying on is of no use, with the reason.
    pub(super) async fn hopeless(&self, broker: &str) -> QueueError {
        let mut state = self.state.clone();
        loop {
            if let State::Down(fault) = &*state.borrow_and_update()
                && let Some(error) = fault.lasting(broker)
            {
                return error;
            }
            if state.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Why there is no session.
    pub(super) fn cause(&self) -> String {
        match &*self.state.borrow() {
            State::Down(fault) => fault.cause(),
            State::Up(_) => "no answer".to_owned(),
        }
    }

    /// Whether the broker takes no messages for now.
    pub(super) fn blocked(&self) -> bool {
        self.now().is_some_and(|session| session.blocked())
    }
}

impl State {
    fn session(&self) -> Option<Arc<Session>> {
        match self {
            Self::Up(session) if session.stands() => Some(Arc::clone(session)),
            _ => None,
        }
    }
}

async fn keep_up(settings: &Settings, role: Role, voice: &Voice, state: &watch::Sender<State>) {
    let down = |fault: Fault| {
        voice.down(role, &fault.cause());
        state.send_replace(State::Down(fault));
    };
    let mut pauses = Pauses::default();
    loop {
        match Session::open(settings, role).await {
            Ok(session) => {
                let session = Arc::new(session);
                let since = Instant::now();
                voice.up(role);
                state.send_replace(State::Up(Arc::clone(&session)));
                let look = |session: &Session| voice.stands(role, session.blocked());
                let cause = session.ended(look).await;
                if since.elapsed() > STEADY {
                    pauses = Pauses::default();
                }
                down(Fault::Passing(cause));
                session.close().await;
            }
            Err(fault) => down(fault),
        }
        tokio::time::sleep(pauses.next()).await;
    }
}
