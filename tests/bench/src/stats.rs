//! Medians of few repetitions, and pairs measured in turn.

use anyhow::Result;
use serde::Serialize;

/// What several repetitions of one measurement came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle one; of an even number the mean of the two in the middle.
    pub(crate) median: f64,
    /// The least.
    pub(crate) min: f64,
    /// The most.
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one sample.
    ///
    /// # Panics
    /// Without samples: a mistake of the workload.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        assert!(!sorted.is_empty(), "a workload measured nothing");
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Self {
            median: f64::midpoint(low, high),
            min: sorted[0],
            max: sorted[sorted.len() - 1],
        }
    }
}

/// Measures `ours` and `bare` in turn, so that what else happens on the machine meets both.
///
/// # Errors
/// The first that occurs.
pub(crate) async fn in_turn<A, B>(
    rounds: usize,
    mut ours: impl AsyncFnMut() -> Result<A>,
    mut bare: impl AsyncFnMut() -> Result<B>,
) -> Result<Vec<(A, B)>> {
    let mut pairs = Vec::with_capacity(rounds);
    for round in 0..rounds {
        // Whoever is second finds caches warm: they take turns at that as well.
        pairs.push(if round % 2 == 0 {
            let first = ours().await?;
            (first, bare().await?)
        } else {
            let first = bare().await?;
            (ours().await?, first)
        });
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_spread_its_ends() {
        let odd = Spread::of([3.0, 1.0, 8.0]);
        assert_eq!((odd.min, odd.median, odd.max), (1.0, 3.0, 8.0));
        assert_eq!(Spread::of([4.0, 2.0]).median, 3.0);
        assert_eq!(Spread::of([7.0]).median, 7.0);
    }

    #[tokio::test]
    async fn pairs_are_measured_in_turn() {
        let order = std::cell::RefCell::new(String::new());
        let log = |letter: char| order.borrow_mut().push(letter);
        let pairs = in_turn(
            3,
            async || {
                log('a');
                Ok(1)
            },
            async || {
                log('b');
                Ok(2)
            },
        );
        assert_eq!(pairs.await.unwrap(), [(1, 2); 3]);
        assert_eq!(order.into_inner(), "abbaab");
    }
}
