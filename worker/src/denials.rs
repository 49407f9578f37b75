//! Tells a refused package from a refused login, and a file that this machine has no room for from a machine that has
//! no room at all: so many in a row with no success between.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::TransferError;
use crate::service::WorkerError;

/// Refused repositories in a row after which the run stops.
const ENOUGH: usize = 3;
/// Builds in a row that failed on this machine after which the run stops. More than the usual workers at once: what is
/// over in a moment should not end a run.
const ENOUGH_LOCAL: usize = 32;

/// The refusals since the last success, of all slots.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    repositories: Mutex<Vec<String>>,
    /// Local failures since the last success.
    local: AtomicUsize,
}

impl Denials {
    pub(crate) fn success(&self) {
        self.repositories
            .lock()
            .expect("no panic under this lock")
            .clear();
        self.local.store(0, Ordering::Relaxed);
    }

    /// Notes a failure of this machine; gives the error to stop with when it is one too many.
    pub(crate) fn local(&self, error: &TransferError) -> Option<WorkerError> {
        let builds = self.local.fetch_add(1, Ordering::Relaxed) + 1;
        (builds >= ENOUGH_LOCAL).then(|| WorkerError::Local {
            builds,
            last: error.to_string(),
        })
    }

    /// Notes a refusal; gives the error to stop with when it is one too many.
    pub(crate) fn denied(&self, repository: &str, error: &TransferError) -> Option<WorkerError> {
        let mut repositories = self.repositories.lock().expect("no panic under this lock");
        if !repositories.iter().any(|known| known == repository) {
            repositories.push(repository.to_owned());
        }
        (repositories.len() >= ENOUGH).then(|| WorkerError::Refused {
            repositories: repositories.len(),
            last: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_fails_build_after_build_stops_the_run_and_a_success_between_does_not() {
        let denials = Denials::default();
        let error = TransferError::Unverifiable { file: "x".into() };
        let fail = |times| (0..times).filter_map(|_| denials.local(&error)).count();
        assert_eq!(fail(ENOUGH_LOCAL - 1), 0);
        denials.success();
        assert_eq!(fail(ENOUGH_LOCAL - 1), 0);
        assert_eq!(fail(1), 1);
    }

    #[test]
    fn three_repositories_in_a_row_stop_the_run_and_a_success_between_does_not() {
        let denials = Denials::default();
        let error = TransferError::Unverifiable { file: "x".into() };
        assert!(denials.denied("a", &error).is_none());
        assert!(
            denials.denied("a", &error).is_none(),
            "one repository counts once"
        );
        assert!(denials.denied("b", &error).is_none());
        denials.success();
        assert!(denials.denied("c", &error).is_none());
        assert!(denials.denied("d", &error).is_none());
        assert!(matches!(
            denials.denied("e", &error),
            Some(WorkerError::Refused {
                repositories: 3,
                ..
            })
        ));
    }
}
