//! Request budgets belong to the host that is asked, writes and reads apart, shared by all who ask.
//!
//! A budget is a rate, if one is set, and parking: when a host says "later", nobody asks it before.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::watch;

use crate::clock;
use crate::metrics::metrics;

/// What a request does to the host; the two have separate rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// Changes something (POST, PUT, PATCH, DELETE).
    Write,
    /// Changes nothing (GET, HEAD).
    Read,
}

/// The seam: one budget per host, in memory for one process, in Redis for many.
#[async_trait]
pub trait HostBudget: Send + Sync + std::fmt::Debug {
    /// Waits until a request of this kind may go to `host` (`name[:port]`).
    async fn admit(&self, host: &str, kind: RequestKind);

    /// Lets nobody ask `host` before `until`. An earlier time than one already set changes nothing.
    async fn park(&self, host: &str, until: SystemTime, why: &str);

    /// Until when `host` is parked, if it is.
    async fn parked_until(&self, host: &str) -> Option<SystemTime>;
}

/// Rates for one host; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Writes a minute.
    pub writes: Option<NonZeroU32>,
    /// Reads a minute.
    pub reads: Option<NonZeroU32>,
}

/// The budget of one process.
#[derive(Debug, Default)]
pub struct MemoryHostBudget {
    rates: HashMap<String, Rates>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    writes: Option<DefaultDirectRateLimiter>,
    reads: Option<DefaultDirectRateLimiter>,
    parked: watch::Sender<Option<SystemTime>>,
}

impl MemoryHostBudget {
    /// Budgets with the given rates; hosts not named are unlimited until they ask for patience.
    #[must_use]
    pub fn new(rates: HashMap<String, Rates>) -> Self {
        Self {
            rates,
            hosts: Mutex::default(),
        }
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().expect("no panic while the lock is held");
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        let rates = self.rates.get(name).copied().unwrap_or_default();
        let host = Arc::new(Host {
            writes: rates.writes.map(limiter),
            reads: rates.reads.map(limiter),
            parked: watch::Sender::new(None),
        });
        hosts.insert(name.to_owned(), Arc::clone(&host));
        host
    }
}

/// One second's worth may come at once: a burst of a whole minute would double the first minute.
fn limiter(per_minute: NonZeroU32) -> DefaultDirectRateLimiter {
    let burst = NonZeroU32::new(per_minute.get() / 60).unwrap_or(NonZeroU32::MIN);
    RateLimiter::direct(Quota::per_minute(per_minute).allow_burst(burst))
}

#[async_trait]
impl HostBudget for MemoryHostBudget {
    async fn admit(&self, host: &str, kind: RequestKind) {
        let host = self.host(host);
        let limiter = match kind {
            RequestKind::Write => &host.writes,
            RequestKind::Read => &host.reads,
        };
        let mut has_permit = limiter.is_none();
        loop {
            let parked = *host.parked.borrow();
            let wait = parked.map(clock::until).unwrap_or_default();
            if wait.is_zero() {
                match limiter {
                    // It may be parked while this one stands in line: whoever has a permit looks again.
                    Some(limiter) if !has_permit => limiter.until_ready().await,
                    _ => return,
                }
                has_permit = true;
                continue;
            }
            // Spread the return a little: all waiters coming back in one instant get parked again.
            let jitter =
                Duration::from_millis(fastrand::u64(0..=(wait.as_millis() as u64 / 10).min(2_000)));
            tokio::time::sleep(wait + jitter).await;
        }
    }

    async fn park(&self, name: &str, until: SystemTime, why: &str) {
        let host = self.host(name);
        let mut longer = Duration::ZERO;
        let later = host.parked.send_if_modified(|parked| {
            let later = parked.is_none_or(|already| already < until);
            let from = parked.map_or(SystemTime::now(), |already| already.max(SystemTime::now()));
            longer = until.duration_since(from).unwrap_or_default();
            if later {
                *parked = Some(until);
            }
            later
        });
        if later {
            metrics().throttled(name, longer);
            tracing::warn!(
                host = name,
                seconds = clock::until(until).as_secs_f32(),
                why,
                "host asks for patience; its requests wait"
            );
        }
    }

    async fn parked_until(&self, host: &str) -> Option<SystemTime> {
        let parked = *self.host(host).parked.borrow();
        parked.filter(|until| !clock::until(*until).is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Poll;

    #[tokio::test]
    async fn a_parked_host_admits_nobody_before_its_time() {
        let budget = MemoryHostBudget::default();
        let until = SystemTime::now() + Duration::from_millis(80);
        budget.park("h", until, "test").await;
        budget.admit("h", RequestKind::Read).await;
        assert!(SystemTime::now() >= until);
        assert_eq!(budget.parked_until("h").await, None);
    }

    #[tokio::test]
    async fn who_stood_in_line_when_the_host_was_parked_waits_on() {
        let rates = Rates {
            writes: NonZeroU32::new(60),
            reads: None,
        };
        let budget = MemoryHostBudget::new(HashMap::from([("h".to_owned(), rates)]));
        budget.admit("h", RequestKind::Write).await;
        let mut in_line = budget.admit("h", RequestKind::Write);
        let polled = poll_fn(|cx| Poll::Ready(in_line.as_mut().poll(cx)));
        assert!(polled.await.is_pending());
        let until = SystemTime::now() + Duration::from_secs(3600);
        budget.park("h", until, "test").await;
        // Its turn comes after a second.
        let admitted = tokio::time::timeout(Duration::from_secs(2), in_line).await;
        assert!(admitted.is_err(), "into a parked host");
    }

    #[tokio::test]
    async fn an_earlier_parking_does_not_shorten_a_later_one() {
        let budget = MemoryHostBudget::default();
        let late = SystemTime::now() + Duration::from_secs(3600);
        budget.park("h", late, "test").await;
        budget.park("h", SystemTime::now(), "test").await;
        assert_eq!(budget.parked_until("h").await, Some(late));
        assert_eq!(budget.parked_until("other").await, None);
    }

    #[tokio::test]
    async fn writes_are_limited_and_reads_are_not() {
        let rates = Rates {
            writes: NonZeroU32::new(600),
            reads: None,
        };
        let budget = MemoryHostBudget::new(HashMap::from([("h".to_owned(), rates)]));
        let start = std::time::Instant::now();
        for _ in 0..1000 {
            budget.admit("h", RequestKind::Read).await;
        }
        // A burst of ten (one second's worth) is free, the eleventh waits a tenth of a second.
        for _ in 0..11 {
            budget.admit("h", RequestKind::Write).await;
        }
        assert!(start.elapsed() >= Duration::from_millis(90));
    }
}
