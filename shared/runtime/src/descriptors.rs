//! Open files and connections: as many as the system gives, and no more workers than they are enough for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a run has open beside its transfers, with some to spare: runtime, ledger and log some 20, lists of tags up to
/// 32 connections (4 for a single worker), indexes of a folder up to 32 files.
const BESIDE: u64 = 96;
/// What one transfer has open at most: its download, four uploads with the files they are read from, a lookup.
const EACH: u64 = 10;
/// With fewer not even one transfer at a time gets through for sure; 56 were enough wherever it was tried.
const LEAST: u64 = 64;

/// There are fewer than even one transfer at a time needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "at most {limit} files and connections may be open at once, and at least {LEAST} are needed; raise the limit of open \
     files (`ulimit -n`)"
)]
pub struct TooFew {
    /// How many there may be.
    pub limit: u64,
}

/// How many of the `wanted` workers there are descriptors for. Raises the limit as far as it goes first.
///
/// # Errors
/// When there are not enough for a single one.
pub fn workers(wanted: usize) -> Result<usize, TooFew> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // Where that is not allowed the limit stays as it is.
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    let Some(limit) = limit else {
        return Ok(wanted);
    };
    if limit < LEAST {
        return Err(TooFew { limit });
    }
    let enough = enough_for(limit).min(wanted);
    if enough < wanted {
        tracing::warn!(
            "at most {limit} files and connections may be open at once: that is enough for {enough} of {wanted} \
             workers; raise the limit of open files (`ulimit -n`) for more"
        );
    }
    Ok(enough)
}

/// At least one.
fn enough_for(limit: u64) -> usize {
    let workers = (limit.saturating_sub(BESIDE) / EACH).max(1);
    usize::try_from(workers).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_limits_are_enough_for_the_usual_workers() {
        assert_eq!(enough_for(u64::MAX), (u64::MAX - BESIDE) as usize / 10);
        assert!(enough_for(1024) >= 64);
        assert!(enough_for(256) >= 16, "macOS has 256");
    }

    #[test]
    fn a_low_limit_leaves_one_worker_at_least() {
        for limit in [0, LEAST, BESIDE, BESIDE + EACH] {
            assert_eq!(enough_for(limit), 1, "{limit}");
        }
        assert_eq!(enough_for(BESIDE + 3 * EACH), 3);
    }
}
