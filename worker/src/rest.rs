//! A worker takes no tasks while that would only move them from the queue to a delay and back: a host it needs is parked
//! for long, or it is not set up for them. What was delivered to it meanwhile goes back, for others.

use std::sync::Arc;
use std::time::Duration;

use mirror_queue::TaskQueue;
use mirror_runtime::Shutdown;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::activity::Activity;

/// Shorter parkings are waited for with the task in hand, or with the next.
const LONG: Duration = Duration::from_secs(60);
/// How long a task is put aside while workers rest: long enough for all of them to hear of it.
const ASIDE: Duration = Duration::from_secs(30);
/// How long a worker leaves tasks to others that passed one on. Without it, it would be the fastest of all at taking them.
const PASSED_ON: Duration = Duration::from_secs(60);

/// Until when no slot takes a task.
#[derive(Debug)]
pub(crate) struct Rest {
    /// A worker that has its queue for itself leaves tasks in nobody's way, and its run must be able to end at any time.
    stands_alone: bool,
    activity: Arc<Activity>,
    until: watch::Sender<Option<Instant>>,
}

impl Rest {
    pub(crate) fn new(stands_alone: bool, activity: Arc<Activity>) -> Self {
        Self {
            stands_alone,
            activity,
            until: watch::Sender::new(None),
        }
    }

    /// A host wants to be left alone for so long. How long the task that met it is put aside: where workers rest, they take
    /// it when they may, and a broker would keep it for minutes more.
    pub(crate) fn parked_for(&self, time: Duration) -> Duration {
        if time < LONG || self.stands_alone {
            return time;
        }
        self.begin(time, "a host that its tasks need wants to be left alone");
        ASIDE
    }

    /// A task was left to others, because of `why`.
    pub(crate) fn passed_on(&self, why: &str) {
        self.begin(PASSED_ON, why);
    }

    fn begin(&self, time: Duration, why: &str) {
        if self.stands_alone {
            return;
        }
        let until = Instant::now() + time;
        let begins = self.now().is_none();
        let later = self.until.send_if_modified(|already| {
            let later = already.is_none_or(|already| already < until);
            if later {
                *already = Some(until);
            }
            later
        });
        if later {
            self.activity.rests(until, why);
        }
        // Each slot may meet the same.
        if begins && later {
            let seconds = time.as_secs();
            tracing::warn!(seconds, why, "takes no tasks for a while");
        }
    }

    fn now(&self) -> Option<Instant> {
        let until = *self.until.borrow();
        until.filter(|until| *until > Instant::now())
    }

    /// Resolves as soon as no task is to be taken.
    pub(crate) async fn has_begun(&self) {
        let mut news = self.until.subscribe();
        while self.now().is_none() {
            if news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until tasks may be taken of `queue`; `false`: a stop was asked for.
    pub(crate) async fn is_over(&self, queue: &dyn TaskQueue, stop: &Shutdown) -> bool {
        while let Some(until) = self.now() {
            let resting = async {
                queue.let_go().await;
                tokio::time::sleep_until(until).await;
            };
            tokio::select! {
                biased;
                () = stop.requested() => return false,
                () = resting => {}
            }
        }
        !stop.is_requested()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mirror_queue::MemoryQueue;
    use std::num::NonZeroUsize;

    #[tokio::test(start_paused = true)]
    async fn a_long_parking_keeps_slots_from_taking_tasks_and_a_short_one_does_not() {
        let activity = Arc::new(Activity::default());
        let (rest, stop) = (Rest::new(false, Arc::clone(&activity)), Shutdown::new());
        let queue = MemoryQueue::new(NonZeroUsize::MIN);
        let start = Instant::now();
        let (short, long) = (Duration::from_secs(5), Duration::from_secs(3600));
        assert_eq!(rest.parked_for(short), short);
        assert!(rest.is_over(&queue, &stop).await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(activity.resting(), None);
        assert_eq!(rest.parked_for(long), ASIDE);
        rest.parked_for(Duration::from_secs(90));
        rest.has_begun().await;
        assert!(activity.resting().unwrap().contains("left alone"));
        assert!(rest.is_over(&queue, &stop).await);
        assert_eq!(start.elapsed(), Duration::from_secs(3600));
        assert_eq!(activity.resting(), None);
        rest.parked_for(long);
        stop.request();
        assert!(!rest.is_over(&queue, &stop).await);
    }
}
