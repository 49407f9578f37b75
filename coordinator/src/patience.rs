//! Waits out a registry that asks the coordinator for patience.
//!
//! A task in the same place goes back to the queue; planning and publishing have nobody to hand their
//! work to, and starting over would cost what was already done.

use std::fmt::Display;

use mirror_runtime::{Disposed, Disposition, clock};

/// Pleas that one step waits out: with pauses of an hour at the most, a few days.
pub(crate) const MAX_PLEAS: usize = 100;

/// Does `step`, again after each plea for patience. The step must be one that may be repeated.
///
/// # Errors
/// Those of the step that are no pleas, or the last plea.
pub(crate) async fn patiently<T, E, F>(step: impl Fn() -> F) -> Result<T, E>
where
    E: Disposed + Display,
    F: Future<Output = Result<T, E>>,
{
    let mut pleas = 0;
    loop {
        let error = match step().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Disposition::Throttled { until } = error.disposition() else {
            return Err(error);
        };
        pleas += 1;
        if pleas > MAX_PLEAS {
            return Err(error);
        }
        tracing::info!(%error, seconds = clock::until(until).as_secs(), "waiting");
        tokio::time::sleep(clock::until(until)).await;
    }
}
