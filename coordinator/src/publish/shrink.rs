//! The shrink guard: a broken CDN must not empty a mirror.

/// Records that may always go.
const SOME: u64 = 20;
/// Percent that may go besides.
const PERCENT: u64 = 10;

/// How an index is about to change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// Records of the publication that is replaced.
    pub from: u64,
    /// Records of the one that replaces it.
    pub to: u64,
    /// Records that are held and left out only because they are excluded.
    pub excluded: u64,
    /// The same of the publication that is replaced, where that is known.
    pub excluded_before: Option<u64>,
    /// Records that somebody took out by name since.
    pub taken_out: u64,
}

impl Change {
    /// Whether too much is lost: more than 20 records and more than 10 %, or everything. What the user newly excludes
    /// is meant to go; an index without any record is not believed even then.
    pub(super) fn is_too_much(self) -> bool {
        let meant = self
            .excluded_before
            .map_or(0, |before| self.excluded.saturating_sub(before));
        let meant = meant.saturating_add(self.taken_out);
        let lost = self.from.saturating_sub(self.to.saturating_add(meant));
        let everything = self.from > 0 && self.to == 0;
        everything || (lost > SOME && lost.saturating_mul(100) > self.from.saturating_mul(PERCENT))
    }
}

#[cfg(test)]
mod tests {
    use super::Change;

    fn is_too_much(from: u64, to: u64) -> bool {
        excluding(from, to, 0, Some(0))
    }

    fn excluding(from: u64, to: u64, excluded: u64, excluded_before: Option<u64>) -> bool {
        let change = Change {
            from,
            to,
            excluded,
            excluded_before,
            taken_out: 0,
        };
        change.is_too_much()
    }

    #[test]
    fn small_losses_pass_and_large_or_total_ones_do_not() {
        for (from, to) in [(0, 0), (0, 5), (100, 120), (100, 80), (1000, 900), (20, 1)] {
            assert!(!is_too_much(from, to), "{from} → {to}");
        }
        for (from, to) in [(1, 0), (100, 79), (1000, 899), (1_000_000, 0)] {
            assert!(is_too_much(from, to), "{from} → {to}");
        }
    }

    #[test]
    fn what_is_newly_excluded_may_go_and_only_that() {
        assert!(!excluding(1000, 300, 700, Some(0)));
        assert!(excluding(1000, 100, 700, Some(0)), "more went");
        assert!(excluding(60, 5, 100, Some(100)), "excluded before");
        assert!(excluding(1000, 300, 700, None), "who knows");
        assert!(excluding(1000, 0, 1000, Some(0)), "nothing is left");
    }

    #[test]
    fn what_was_taken_out_by_name_may_go() {
        let taking_out = |taken_out| Change {
            from: 100,
            to: 50,
            excluded: 0,
            excluded_before: Some(0),
            taken_out,
        };
        assert!(!taking_out(50).is_too_much());
        assert!(taking_out(10).is_too_much());
    }
}
