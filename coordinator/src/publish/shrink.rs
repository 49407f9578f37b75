//! The shrink guard: a broken CDN must not empty a mirror.

/// Records that may always go.
const SOME: u64 = 20;
/// Percent that may go besides.
const PERCENT: u64 = 10;

/// Whether an index that goes `from` so many records `to` so many loses too much: more than 20
/// records and more than 10 %, or everything.
pub(super) fn is_too_much(from: u64, to: u64) -> bool {
    let lost = from.saturating_sub(to);
    let everything = from > 0 && to == 0;
    everything || (lost > SOME && lost.saturating_mul(100) > from.saturating_mul(PERCENT))
}

#[cfg(test)]
mod tests {
    use super::is_too_much;

    #[test]
    fn small_losses_pass_and_large_or_total_ones_do_not() {
        for (from, to) in [(0, 0), (0, 5), (100, 120), (100, 80), (1000, 900), (20, 1)] {
            assert!(!is_too_much(from, to), "{from} → {to}");
        }
        for (from, to) in [(1, 0), (100, 79), (1000, 899), (1_000_000, 0)] {
            assert!(is_too_much(from, to), "{from} → {to}");
        }
    }
}
