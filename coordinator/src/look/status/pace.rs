//! How fast a plan gets on, and how long it takes at that pace: from earlier looks, else from its beginning.

use std::collections::VecDeque;
use std::time::Duration;

use mirror_ledger::{Counts, Tally};

/// How far back looks are compared.
const MINUTE: u64 = 60_000;

/// A pace.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Pace {
    pub(super) files_per_second: f64,
    pub(super) bytes_per_second: f64,
    /// Until all is done at this pace; none where nothing gets on or nothing is left.
    pub(super) left: Option<Duration>,
}

/// The looks of the last minute at one subdir.
#[derive(Debug, Default)]
pub(super) struct Looks {
    plan: u64,
    seen: VecDeque<(u64, Counts)>,
}

impl Looks {
    /// Adds a look, and says how fast the plan gets on.
    pub(super) fn add(&mut self, now_ms: u64, tally: &Tally) -> Pace {
        if self.plan != tally.plan {
            *self = Self {
                plan: tally.plan,
                seen: VecDeque::new(),
            };
        }
        let is_old = |then: u64| now_ms.saturating_sub(then) > MINUTE;
        // The last look is kept however old: what came since says more than the whole run.
        while self.seen.len() > 1 && self.seen.front().is_some_and(|(then, _)| is_old(*then)) {
            self.seen.pop_front();
        }
        let from = self.seen.front().copied();
        self.seen.push_back((now_ms, tally.counts));
        let until = tally.ended_ms.unwrap_or(now_ms);
        match from.filter(|_| tally.ended_ms.is_none()) {
            Some((then, before)) => pace(then, before, until, tally),
            None => pace(tally.started_ms, Counts::default(), until, tally),
        }
    }
}

/// The pace between two times.
fn pace(then_ms: u64, before: Counts, now_ms: u64, tally: &Tally) -> Pace {
    let seconds = now_ms.saturating_sub(then_ms) as f64 / 1000.0;
    if seconds <= 0.0 {
        return Pace::default();
    }
    let Counts { done_bytes, .. } = tally.counts;
    let files = tally.counts.files().saturating_sub(before.files()) as f64;
    let bytes = done_bytes.saturating_sub(before.done_bytes) as f64;
    let left = tally.left() as f64;
    // Large files take longer than small ones: what is left by bytes may be more than by number.
    let by_files = left * seconds / files;
    let by_bytes = tally.bytes.saturating_sub(done_bytes) as f64 * seconds / bytes;
    let left = match files > 0.0 && left > 0.0 && tally.is_open() {
        true if bytes > 0.0 => Some(by_files.max(by_bytes)),
        true => Some(by_files),
        false => None,
    };
    Pace {
        files_per_second: files / seconds,
        bytes_per_second: bytes / seconds,
        left: left.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(done: u64, done_bytes: u64) -> Tally {
        let mut tally = Tally::begun(5, 0, 100, 1_000, 10_000);
        tally.counts.done = done;
        tally.counts.done_bytes = done_bytes;
        tally
    }

    #[test]
    fn the_first_look_goes_by_the_beginning_and_later_ones_by_the_last_minute() {
        let mut looks = Looks::default();
        let first = looks.add(20_000, &tally(50, 500));
        assert_eq!(
            (first.files_per_second, first.bytes_per_second),
            (5.0, 50.0)
        );
        assert_eq!(first.left, Some(Duration::from_secs(10)));
        let second = looks.add(30_000, &tally(60, 600));
        assert_eq!(
            (second.files_per_second, second.bytes_per_second),
            (1.0, 10.0)
        );
        assert_eq!(second.left, Some(Duration::from_secs(40)));
        // The first look is over a minute old, and so is the second, which is the last.
        let third = looks.add(90_500, &tally(60, 600));
        assert_eq!(third.files_per_second, 0.0 / 60.5);
        let fourth = looks.add(91_500, &tally(61, 600));
        assert_eq!(fourth.files_per_second, 1.0);
    }

    #[test]
    fn what_stands_still_takes_no_time_that_anybody_knows() {
        let mut looks = Looks::default();
        assert_eq!(looks.add(20_000, &tally(0, 0)).left, None);
        assert_eq!(looks.add(10_000, &tally(0, 0)), Pace::default());
    }

    #[test]
    fn what_is_left_by_bytes_counts_where_it_is_more() {
        // Half of the files, a tenth of the bytes.
        let pace = Looks::default().add(20_000, &tally(50, 100));
        assert_eq!(pace.left, Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_new_plan_and_one_that_has_ended_go_by_their_own_times() {
        let mut looks = Looks::default();
        looks.add(20_000, &tally(50, 500));
        let mut next = tally(10, 100);
        (next.plan, next.started_ms) = (6, 29_000);
        assert_eq!(looks.add(30_000, &next).files_per_second, 10.0);
        next.ended_ms = Some(31_000);
        let ended = looks.add(99_000, &next);
        assert_eq!((ended.files_per_second, ended.left), (5.0, None));
    }
}
