//! How long a task waits before it is tried again.

use std::time::Duration;

/// The delays after the first, second, third and every later failed try. They are also the fixed
/// waiting times of a broker's delay queues, where a time per message would block behind the head.
pub const LEVELS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
];

/// A delay is spread by this share of itself to either side, so that tasks that failed together
/// do not come back together.
pub const JITTER: f64 = 0.2;

/// The delay after failed try `attempt` (from 1), spread at random.
#[must_use]
pub fn delay(attempt: u32) -> Duration {
    spread(level(attempt), fastrand::f64())
}

/// The delay after failed try `attempt` (from 1) before it is spread.
#[must_use]
pub fn level(attempt: u32) -> Duration {
    let last = LEVELS.len() - 1;
    let step = usize::try_from(attempt.saturating_sub(1)).unwrap_or(last);
    LEVELS[step.min(last)]
}

/// `delay` shortened or lengthened by up to [`JITTER`]; `at` in 0..1 says where in that range.
#[must_use]
pub fn spread(delay: Duration, at: f64) -> Duration {
    delay.mul_f64(1.0 - JITTER + 2.0 * JITTER * at.clamp(0.0, 1.0))
}

/// The level that stands for `delay` where only [`LEVELS`] are to be had: the shortest that is not
/// shorter than the delay could have been spread to, else the longest.
#[must_use]
pub fn nearest(delay: Duration) -> Duration {
    let least = delay.mul_f64(1.0 - JITTER);
    let enough = LEVELS.into_iter().find(|level| *level >= least);
    enough.unwrap_or(LEVELS[LEVELS.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_grow_to_five_minutes_and_stay_there() {
        let seconds: Vec<u64> = (0..=6).map(|n| level(n).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 5, 30, 300, 300, 300]);
        assert_eq!(level(u32::MAX).as_secs(), 300);
    }

    #[test]
    fn the_spread_reaches_a_fifth_to_either_side() {
        let ten = Duration::from_secs(10);
        assert_eq!(spread(ten, 0.0), Duration::from_secs(8));
        assert_eq!(spread(ten, 0.5), ten);
        assert_eq!(spread(ten, 1.0), Duration::from_secs(12));
    }

    #[test]
    fn a_delay_between_levels_is_rounded_up_but_for_the_spread() {
        let cases = [
            (0, 1),
            (1000, 1),
            (1250, 1),
            (1260, 5),
            (6000, 5),
            (6300, 30),
            (30_000, 30),
            (60_000, 300),
            (3_600_000, 300),
        ];
        for (asked, level) in cases {
            let nearest = nearest(Duration::from_millis(asked));
            assert_eq!(nearest.as_secs(), level, "for {asked} ms");
        }
    }

    proptest! {
        #[test]
        fn however_a_level_is_spread_it_stays_that_level(attempt in 1..10_u32, at in 0.0..=1.0) {
            prop_assert_eq!(nearest(spread(level(attempt), at)), level(attempt));
        }

        #[test]
        fn no_delay_leaves_its_range(attempt: u32) {
            let (delay, level) = (delay(attempt), level(attempt));
            prop_assert!(delay >= level.mul_f64(0.799) && delay <= level.mul_f64(1.201));
        }
    }
}
