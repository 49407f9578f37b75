//! [`HostBudget`] in Redis: one rate and one parking for all workers.
//!
//! A token bucket by the server's clock; permits are fetched for all requests of this worker that wait at
//! that moment, one round trip for them together. A host without a rate costs a look a second, for parking.
//! While Redis is away each worker goes on with its share: the rate divided by the workers that asked for
//! this host in the minute before. In any time, all workers together make no more requests than the rate
//! allows in it, one second's worth for the bucket, and one for each time that Redis went away.

mod gate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use mirror_runtime::clock;
use mirror_runtime::host_budget::{HostBudget, MemoryHostBudget, Rates, RequestKind};
use tokio::time::Instant;
use tracing::Instrument as _;

use self::gate::{Gate, Passage};
use super::names::Names;
use super::{Answer, RedisConnection, scripts};

/// How long a request waits for Redis before it goes by this worker's share.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries to get Redis back.
const AWAY: Duration = Duration::from_secs(5);
/// Between two looks whether another worker parked the host.
const LOOK: Duration = Duration::from_secs(1);
/// How long who asked counts among those who share, as in `admit.lua`.
const COUNTED: Duration = Duration::from_secs(60);
/// A parking that Redis tells again is the same within this.
const SAME: Duration = Duration::from_millis(500);

/// The budgets of hosts, shared by all workers on one Redis.
#[derive(Debug)]
pub struct RedisHostBudget {
    connection: RedisConnection,
    /// This worker, among those that share.
    worker: String,
    rates: HashMap<String, Rates>,
    /// Who waits for a parked host waits here.
    parking: MemoryHostBudget,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    name: String,
    names: Names,
    writes: Gate,
    reads: Gate,
    known: Mutex<Known>,
}

/// What Redis said last.
#[derive(Debug)]
struct Known {
    workers: u32,
    /// When there were last so many.
    counted: Instant,
    next_look: Option<Instant>,
}

impl Known {
    /// A Redis that has just forgotten everything counts too few: less is believed only after a while.
    fn count(&mut self, workers: u32) {
        let now = Instant::now();
        if workers >= self.workers || now.duration_since(self.counted) > COUNTED {
            (self.workers, self.counted) = (workers.max(1), now);
        }
    }
}

/// What Redis says to a wish.
#[derive(Debug)]
struct Admitted {
    given: u32,
    wait: Duration,
    parked: Option<Duration>,
}

impl RedisConnection {
    /// The budgets of hosts with these rates, the same at all workers; hosts not named are unlimited until
    /// they ask for patience. `worker` is this process's name in claims.
    #[must_use]
    pub fn host_budget(&self, worker: &str, rates: HashMap<String, Rates>) -> RedisHostBudget {
        RedisHostBudget {
            connection: self.clone(),
            worker: worker.to_owned(),
            rates,
            parking: MemoryHostBudget::default(),
            hosts: Mutex::default(),
        }
    }
}

impl RedisHostBudget {
    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        let rates = self.rates.get(name).copied().unwrap_or_default();
        let host = Arc::new(Host {
            name: name.to_owned(),
            names: Names::new(self.connection.namespace(), &["budget", name]),
            writes: Gate::new("writes", rates.writes),
            reads: Gate::new("reads", rates.reads),
            known: Mutex::new(Known {
                workers: 1,
                counted: Instant::now(),
                next_look: None,
            }),
        });
        hosts.insert(name.to_owned(), Arc::clone(&host));
        host
    }

    /// Asks for permits through the gate, and takes note of what Redis tells beside them.
    async fn ask(&self, host: &Host, gate: &Gate, want: u32) -> Answer<Admitted> {
        let call = scripts::ADMIT
            .on([
                host.names.of(gate.name()),
                host.names.of("parked"),
                host.names.of("workers"),
            ])
            .arg(&self.worker)
            .arg(want)
            .arg(gate.per_minute())
            .arg(gate.burst());
        let (given, wait, parked, workers): (u32, u64, u64, u32) =
            self.connection.ask_within("budget", call, PATIENCE).await?;
        host.known().count(workers);
        Ok(Admitted {
            given,
            wait: Duration::from_millis(wait),
            parked: (parked > 0).then(|| Duration::from_millis(parked)),
        })
    }

    /// Looks whether another worker parked the host, if that was not done a moment ago.
    async fn look(&self, host: &Host) {
        {
            let mut known = host.known();
            let now = Instant::now();
            if known.next_look.is_some_and(|next| now < next) {
                return;
            }
            known.next_look = Some(now + LOOK);
        }
        match self.ask(host, &host.reads, 0).await {
            Ok(admitted) => self.note_parked(host, admitted.parked).await,
            Err(error) => {
                tracing::debug!(%error, host = host.name, "whether the host is parked is not known");
                host.known().next_look = Some(Instant::now() + AWAY);
            }
        }
    }

    async fn note_parked(&self, host: &Host, parked: Option<Duration>) {
        let Some(parked) = parked else { return };
        let until = SystemTime::now() + parked;
        let already = self.parking.parked_until(&host.name).await;
        if already.is_none_or(|already| already + SAME < until) {
            let why = "another worker was told so";
            self.parking.park(&host.name, until, why).await;
        }
    }
}

impl Host {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self, kind: RequestKind) -> &Gate {
        match kind {
            RequestKind::Write => &self.writes,
            RequestKind::Read => &self.reads,
        }
    }
}

#[async_trait]
impl HostBudget for RedisHostBudget {
    async fn admit(&self, name: &str, kind: RequestKind) {
        let host = self.host(name);
        let gate = host.gate(kind);
        loop {
            self.parking.admit(name, kind).await;
            let passage = if gate.per_minute() == 0 {
                self.look(&host).await;
                let parked = self.parking.parked_until(name).await;
                if parked.is_some() {
                    Passage::Parked
                } else {
                    Passage::Open
                }
            } else {
                gate.pass(self, &host, kind).await
            };
            if let Passage::Open = passage {
                return;
            }
        }
    }

    async fn park(&self, name: &str, until: SystemTime, why: &str) {
        self.parking.park(name, until, why).await;
        let host = self.host(name);
        // For so long from now on: clocks of workers differ.
        let left = u64::try_from(clock::until(until).as_millis()).unwrap_or(u64::MAX);
        let call = scripts::PARK
            .on([host.names.of("parked")])
            .arg(left.clamp(1, i64::MAX.cast_unsigned() / 4))
            .arg(why);
        let connection = self.connection.clone();
        let telling = async move {
            let told = connection.ask_within::<::redis::Value>("park host", call, PATIENCE);
            if let Err(error) = told.await {
                tracing::warn!(%error, host = host.name, "other workers are not told that the host asks for patience");
            }
        };
        // To its end: now that the host is parked here, what this request belongs to may be given up before.
        let _ = tokio::spawn(telling.in_current_span()).await;
    }

    async fn parked_until(&self, name: &str) -> Option<SystemTime> {
        self.look(&self.host(name)).await;
        self.parking.parked_until(name).await
    }
}
