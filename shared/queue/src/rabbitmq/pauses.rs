//! Pauses between tries to reach the broker: short at first, never longer than ten seconds, spread at random so that
//! a hundred workers do not come back as one.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::spread;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// As good as never.
const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The time so long after `start`; any setting of a user is one that a clock can tell.
pub(super) fn after(start: Instant, duration: Duration) -> Instant {
    start + duration.min(YEARS)
}

/// How long to wait before the next try.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    taken: u32,
}

impl Pauses {
    pub(super) fn next(&mut self) -> Duration {
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.taken));
        self.taken = self.taken.saturating_add(1);
        spread(pause.min(LONGEST), fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_may_be_endless() {
        assert!(after(Instant::now(), Duration::MAX) > Instant::now());
    }

    #[test]
    fn pauses_double_up_to_ten_seconds_give_or_take_a_fifth() {
        let mut pauses = Pauses::default();
        for wanted in [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0] {
            let pause = pauses.next().as_secs_f64();
            assert!((wanted * 0.79..=wanted * 1.21).contains(&pause), "{pause}");
        }
        pauses.taken = u32::MAX;
        assert!(pauses.next() <= LONGEST.mul_f64(1.2));
    }
}
