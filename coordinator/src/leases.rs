//! Until when the leases of this run are surely its own. What a lease protects is done only for so long: a run that slept, or
//! that was cut off from the ledger, must not undo what the next one did.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::sync::LEASE;

/// What was sent when a lease runs out may take so long to arrive.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// Until when each is; by what is leased.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    until: watch::Sender<BTreeMap<String, Until>>,
}

/// A moment by two clocks: the first stands still while the machine is suspended, the second may be set.
type Until = (Instant, SystemTime);

impl Leases {
    /// The one on `subdir` was granted for its full time; it was asked for at `asked`, no earlier.
    pub(crate) fn granted(&self, subdir: &str, asked: Instant) {
        let until = asked + LEASE.saturating_sub(ON_ITS_WAY);
        let left = until.saturating_duration_since(Instant::now());
        let until = (until, SystemTime::now() + left);
        self.until.send_modify(|all| {
            let known = all.entry(subdir.to_owned()).or_insert(until);
            // Answers may come in another order.
            if known.0 < until.0 {
                *known = until;
            }
        });
    }

    /// Does `work` for as long as the lease on `subdir` is kept. `None`: it was not renewed in time, and the work dropped
    /// where it was.
    pub(crate) async fn while_ours<T>(
        &self,
        subdir: &str,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut news = self.until.subscribe();
        let mut work = Box::pin(work);
        loop {
            let (until, by_the_wall) = news.borrow_and_update().get(subdir).copied()?;
            let in_time = poll_fn(|cx| match SystemTime::now() < by_the_wall {
                true => work.as_mut().poll(cx).map(Some),
                false => Poll::Ready(None),
            });
            tokio::select! {
                biased;
                Ok(()) = news.changed() => {}
                // Before the work: after a sleep nothing more is begun.
                () = sleep_until(until) => return None,
                done = in_time => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test(start_paused = true)]
    async fn what_a_lease_protects_goes_on_while_it_is_renewed_and_no_longer() {
        let (leases, start) = (Leases::default(), Instant::now());
        assert_eq!(leases.while_ours("noarch", ready(())).await, None);
        leases.granted("noarch", start);
        leases.granted("linux-64", start + 10 * LEASE);
        assert_eq!(leases.while_ours("noarch", ready(1)).await, Some(1));
        let renewed = async {
            for n in 1..=5 {
                sleep_until(start + n * LEASE / 2).await;
                leases.granted("noarch", Instant::now());
            }
            pending::<()>().await
        };
        tokio::select! {
            ended = leases.while_ours("noarch", pending::<()>()) => assert_eq!(ended, None),
            () = renewed => {}
        }
        let last = start + 5 * LEASE / 2;
        assert_eq!(Instant::now(), last + LEASE - ON_ITS_WAY);
    }

    /// The clock of timers stands still while a machine is suspended.
    #[tokio::test(start_paused = true)]
    async fn what_would_be_begun_after_the_machine_was_suspended_is_not() {
        let (leases, now) = (Leases::default(), Instant::now());
        for (wall, done) in [
            (SystemTime::UNIX_EPOCH, None),
            (SystemTime::now() + LEASE, Some(1)),
        ] {
            let until = BTreeMap::from([("noarch".to_owned(), (now + LEASE, wall))]);
            leases.until.send_replace(until);
            assert_eq!(leases.while_ours("noarch", ready(1)).await, done);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_be_begun_after_a_sleep_is_not() {
        let leases = Leases::default();
        leases.granted("noarch", Instant::now());
        tokio::time::advance(LEASE).await;
        assert_eq!(leases.while_ours("noarch", ready(())).await, None);
    }
}
