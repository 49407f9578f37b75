//! A worker takes no tasks while a host it needs is parked for long: they would only go from the queue to a delay and back.

use std::sync::Mutex;
use std::time::Duration;

use mirror_runtime::Shutdown;
use tokio::time::Instant;

/// Shorter parkings are waited for with the task in hand, or with the next.
const LONG: Duration = Duration::from_secs(60);

/// Until when no slot takes a task.
#[derive(Debug)]
pub(crate) struct Rest {
    /// A worker that has its queue for itself leaves tasks in nobody's way, and its run must be able to end at any time.
    stands_alone: bool,
    until: Mutex<Option<Instant>>,
}

impl Rest {
    pub(crate) fn new(stands_alone: bool) -> Self {
        Self {
            stands_alone,
            until: Mutex::default(),
        }
    }

    /// A host wants to be left alone for so long.
    pub(crate) fn parked_for(&self, time: Duration) {
        if self.stands_alone || time < LONG {
            return;
        }
        let until = Instant::now() + time;
        let mut rest = self.until.lock().expect("no panic under this lock");
        if rest.is_none_or(|already| already < until) {
            *rest = Some(until);
            tracing::warn!(
                seconds = time.as_secs(),
                "takes no tasks until a host that is parked may be asked again"
            );
        }
    }

    /// Waits until tasks may be taken; `false`: a stop was asked for.
    pub(crate) async fn is_over(&self, stop: &Shutdown) -> bool {
        loop {
            let until = *self.until.lock().expect("no panic under this lock");
            let Some(until) = until.filter(|until| *until > Instant::now()) else {
                return !stop.is_requested();
            };
            tokio::select! {
                () = stop.requested() => return false,
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_parking_keeps_slots_from_taking_tasks_and_a_short_one_does_not() {
        let (rest, stop) = (Rest::new(false), Shutdown::new());
        let start = Instant::now();
        rest.parked_for(Duration::from_secs(5));
        assert!(rest.is_over(&stop).await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        rest.parked_for(Duration::from_secs(3600));
        rest.parked_for(Duration::from_secs(90));
        assert!(rest.is_over(&stop).await);
        assert_eq!(start.elapsed(), Duration::from_secs(3600));
        rest.parked_for(Duration::from_secs(3600));
        stop.request();
        assert!(!rest.is_over(&stop).await);
    }
}
