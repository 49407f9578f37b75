//! Tells a refused package from a refused login: three repositories refused with no success between.

use std::sync::Mutex;

use crate::error::TransferError;
use crate::service::WorkerError;

/// Refused repositories in a row after which the run stops.
const ENOUGH: usize = 3;

/// The refusals since the last success, of all slots.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    repositories: Mutex<Vec<String>>,
}

impl Denials {
    pub(crate) fn success(&self) {
        self.repositories
            .lock()
            .expect("no panic under this lock")
            .clear();
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
