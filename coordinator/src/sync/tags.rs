//! Which tags a repository has, asked once a repository, while a registry is filled for the first time.
//!
//! There is no index yet that could say what is held; an earlier fill whose ledger was lost may have
//! got far. One request a repository tells which builds are new for sure.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use mirror_channel::name::FileName;
use mirror_oci::layout::SubdirLayout;
use mirror_oci::{Destination, DestinationError};
use mirror_queue::Task;
use tokio::sync::{OnceCell, Semaphore};

use crate::patience::patiently;

/// Repositories that are asked at once. Half a second away that is 64 repositories a second, more than all the workers need
/// that a registry bears.
const ASKED: usize = 32;
/// For each worker of this machine: no more than it works off, and where descriptors are few enough for few workers only,
/// lists must not take them all.
const ASKED_FOR_EACH: usize = 4;
/// Repositories remembered at once. Tasks come in the order of names, so few are asked for twice.
const REMEMBERED: usize = 64;

type Listed = Arc<OnceCell<HashSet<String>>>;

/// The tags of the repositories that tasks lately asked for.
#[derive(Debug)]
pub(crate) struct Tags {
    destination: Arc<Destination>,
    layout: SubdirLayout,
    recent: Mutex<VecDeque<(String, Listed)>>,
    asking: Semaphore,
}

impl Tags {
    /// For a run of so many workers.
    pub(crate) fn new(destination: Arc<Destination>, layout: SubdirLayout, workers: usize) -> Self {
        Self {
            destination,
            layout,
            recent: Mutex::default(),
            asking: Semaphore::new(at_once(workers)),
        }
    }

    /// Whether the tag of the task's build may exist. A repository that cannot be asked may have it:
    /// the worker looks then, and has more patience.
    pub(crate) async fn may_have(&self, task: &Task) -> bool {
        let file = task
            .files
            .first()
            .and_then(|file| file.file.parse::<FileName>().ok());
        let Some(place) = file.and_then(|file| self.layout.package(&file).ok()) else {
            return true;
        };
        let listed = self.slot(&place.repository);
        let tags = listed.get_or_try_init(|| async {
            let _turn = self.asking.acquire().await.expect("never closed");
            let tags = patiently(|| self.destination.tags(&place.repository)).await?;
            Ok::<_, DestinationError>(tags.into_iter().collect::<HashSet<_>>())
        });
        match tags.await {
            Ok(tags) => tags.contains(&place.tag),
            Err(error) => {
                tracing::debug!(repository = place.repository, %error, "cannot list tags");
                true
            }
        }
    }

    fn slot(&self, repository: &str) -> Listed {
        let mut recent = self.recent.lock().expect("no panic under this lock");
        if let Some((_, listed)) = recent.iter().find(|(name, _)| name == repository) {
            return Arc::clone(listed);
        }
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        let listed = Listed::default();
        recent.push_back((repository.to_owned(), Arc::clone(&listed)));
        listed
    }
}

fn at_once(workers: usize) -> usize {
    ASKED.min(workers.saturating_mul(ASKED_FOR_EACH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_has_few_repositories_asked_for_it_and_many_no_more_than_a_registry_bears() {
        assert_eq!([1, 2, 8, usize::MAX].map(at_once), [4, 8, ASKED, ASKED]);
    }
}
