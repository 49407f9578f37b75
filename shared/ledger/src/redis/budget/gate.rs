//! One rate of one host: permits from Redis, or by this worker's share while Redis is away.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mirror_runtime::host_budget::{HostBudget as _, MemoryHostBudget, Rates, RequestKind};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{AWAY, Host, RedisHostBudget};

/// Permits that were fetched for requests which then were cancelled are worth nothing after this: kept, they
/// would come on top of a later time's rate.
const FRESH: Duration = Duration::from_secs(1);

/// What a request meets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Passage {
    Open,
    /// The host asked for patience meanwhile.
    Parked,
}

#[derive(Debug)]
pub(super) struct Gate {
    name: &'static str,
    rate: Option<NonZeroU32>,
    /// Requests before the gate.
    waiting: AtomicU32,
    /// Held by the one whose turn it is; the others stand in line.
    turn: Mutex<Turn>,
}

#[derive(Debug, Default)]
struct Turn {
    permits: u32,
    fresh_until: Option<Instant>,
    /// While Redis is away: when to ask it again.
    away_until: Option<Instant>,
    /// What goes while Redis is away. Kept, so that each time it goes away does not begin with a full one.
    share: Option<(NonZeroU32, MemoryHostBudget)>,
}

/// Counts one of those who wait for as long as it lives.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    pub(super) fn new(name: &'static str, rate: Option<NonZeroU32>) -> Self {
        Self {
            name,
            rate,
            waiting: AtomicU32::new(0),
            turn: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// 0: unlimited.
    pub(super) fn per_minute(&self) -> u32 {
        self.rate.map_or(0, NonZeroU32::get)
    }

    /// What may go at once: a second's worth.
    pub(super) fn burst(&self) -> u32 {
        (self.per_minute() / 60).max(1)
    }

    /// Waits for a permit.
    pub(super) async fn pass(
        &self,
        budget: &RedisHostBudget,
        host: &Host,
        kind: RequestKind,
    ) -> Passage {
        let _waiting = Waiting::new(&self.waiting);
        let mut turn = self.turn.lock().await;
        loop {
            // It may have been parked while this one stood in line.
            if budget.parking.parked_until(&host.name).await.is_some() {
                return Passage::Parked;
            }
            let now = Instant::now();
            if turn.permits > 0 && turn.fresh_until.is_some_and(|until| now < until) {
                turn.permits -= 1;
                return Passage::Open;
            }
            if turn.away_until.is_some_and(|until| now < until)
                && let Some((_, share)) = &turn.share
            {
                share.admit(&host.name, kind).await;
                return Passage::Open;
            }
            // This one is among those who wait.
            let want = self.waiting.load(Ordering::Relaxed).clamp(1, self.burst());
            match budget.ask(host, self, want).await {
                Ok(admitted) => {
                    turn.away_until = None;
                    if admitted.parked.is_some() {
                        budget.note_parked(host, admitted.parked).await;
                        return Passage::Parked;
                    }
                    turn.permits = admitted.given;
                    turn.fresh_until = Some(Instant::now() + FRESH);
                    if admitted.given == 0 {
                        tokio::time::sleep(admitted.wait).await;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, host = host.name, "requests go by this worker's share");
                    turn.away_until = Some(Instant::now() + AWAY);
                    self.set_share(&mut turn, host);
                }
            }
        }
    }

    fn set_share(&self, turn: &mut Turn, host: &Host) {
        let workers = host.known().workers;
        let rate = NonZeroU32::new(self.per_minute() / workers).unwrap_or(NonZeroU32::MIN);
        if turn.share.as_ref().is_some_and(|(known, _)| *known == rate) {
            return;
        }
        let rates = Rates {
            writes: Some(rate),
            reads: Some(rate),
        };
        let share = MemoryHostBudget::new(HashMap::from([(host.name.clone(), rates)]));
        turn.share = Some((rate, share));
    }
}
