//! Tells what is wrong with one build from what is wrong with the login, this machine or a host: so many in a row with no
//! success between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use mirror_runtime::{Disposed as _, Disposition};
use tokio::time::Instant;

use crate::error::TransferError;
use crate::service::WorkerError;

/// Registries of which is remembered how they treat this worker; whoever queues tasks for more of them only makes it forget.
const REMEMBERED: usize = 64;
/// Refused repositories of a registry in a row after which the run stops.
const ENOUGH: usize = 3;
/// Builds in a row that failed on this machine after which the run stops. More than the usual workers at once: what is
/// over in a moment should not end a run.
const ENOUGH_LOCAL: usize = 32;
/// Tries in a row that found nobody at a host after which the run stops, if the first of them is so long ago. Longer
/// than a registry takes to be restarted or moved; as long as the longest pause between tries of a build, so that each
/// was tried again meanwhile.
const ENOUGH_UNANSWERED: (usize, Duration) = (64, Duration::from_secs(5 * 60));

/// The failures since the last success, of all slots.
#[derive(Debug)]
pub(crate) struct Denials {
    row: Mutex<InARow>,
    /// Whether a refusal says nothing of other workers.
    stands_alone: bool,
    /// The registries that let this worker in: what they refuse is about a build.
    let_in: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct InARow {
    /// Repositories that were refused, by their registry.
    refused: BTreeMap<String, BTreeSet<String>>,
    /// Builds that failed on this machine.
    local: usize,
    /// Tries that found nobody.
    unanswered: usize,
    /// When the first of those ended.
    silent_since: Option<Instant>,
    /// The host of which the log says that nobody answers.
    said_silent: Option<String>,
}

impl Denials {
    /// With nothing counted.
    pub(crate) fn new(stands_alone: bool) -> Self {
        Self {
            row: Mutex::default(),
            stands_alone,
            let_in: Mutex::default(),
        }
    }

    /// A build got on at `host`: whatever was counted was about single builds, but for what other registries refused.
    pub(crate) fn success(&self, host: &str) {
        {
            let mut let_in = self.let_in.lock().expect("no panic under this lock");
            if !let_in.contains(host) {
                if let_in.len() == REMEMBERED {
                    let_in.clear();
                }
                let_in.insert(host.to_owned());
            }
        }
        let mut row = self.row.lock().expect("no panic under this lock");
        let mut refused = std::mem::take(&mut row.refused);
        refused.remove(host);
        let before = std::mem::take(&mut *row);
        row.refused = refused;
        if let Some(host) = before.said_silent {
            tracing::warn!(host, "answers again");
        }
    }

    /// Says that nobody answers at `host`, once until something got on: every build meets the same.
    pub(crate) fn say_silent(&self, host: &str, error: &TransferError) {
        let mut row = self.row.lock().expect("no panic under this lock");
        if row.said_silent.is_none() {
            tracing::warn!(host, %error, "nobody answers; all that needs it is tried again");
            row.said_silent = Some(host.to_owned());
        }
    }

    /// Notes what one try of a build for a repository of a host met until `now`; gives the error to stop with when it is one too many.
    ///
    /// However many files of the build met the same, it counts once. What a channel refuses says nothing about the
    /// login at the destination.
    pub(crate) fn note<'e>(
        &self,
        (host, repository): (&str, &str),
        errors: impl Iterator<Item = &'e TransferError>,
        now: Instant,
    ) -> Option<WorkerError> {
        let (mut refused, mut local, mut unanswered) = (None, None, None);
        for error in errors {
            match error.disposition() {
                Disposition::Denied if matches!(error, TransferError::Destination(_)) => {
                    refused = Some(error);
                }
                Disposition::Local => local = Some(error),
                _ => {
                    unanswered = error
                        .unreached_host()
                        .map(|host| (host, error))
                        .or(unanswered)
                }
            }
        }
        if let Some(error) = refused
            && !self.stands_alone
            && !self.was_let_in(host)
        {
            let refusal = error.to_string();
            return Some(WorkerError::RefusedAtOnce { refusal });
        }
        let mut row = self.row.lock().expect("no panic under this lock");
        let refused = refused.and_then(|error| row.refused(host, repository, error));
        let local = local.and_then(|error| row.local(error));
        let unanswered = unanswered.and_then(|(host, error)| row.unanswered(host, error, now));
        refused.or(local).or(unanswered)
    }

    fn was_let_in(&self, host: &str) -> bool {
        let let_in = self.let_in.lock().expect("no panic under this lock");
        let_in.contains(host)
    }
}

impl InARow {
    fn refused(
        &mut self,
        host: &str,
        repository: &str,
        error: &TransferError,
    ) -> Option<WorkerError> {
        if self.refused.len() == REMEMBERED {
            self.refused.retain(|known, _| known == host);
        }
        let refused = self.refused.entry(host.to_owned()).or_default();
        refused.insert(repository.to_owned());
        (refused.len() >= ENOUGH).then(|| WorkerError::Refused {
            repositories: refused.len(),
            last: error.to_string(),
        })
    }

    fn local(&mut self, error: &TransferError) -> Option<WorkerError> {
        self.local += 1;
        (self.local >= ENOUGH_LOCAL).then(|| WorkerError::Local {
            builds: self.local,
            last: error.to_string(),
        })
    }

    fn unanswered(
        &mut self,
        host: String,
        error: &TransferError,
        now: Instant,
    ) -> Option<WorkerError> {
        self.unanswered += 1;
        let since = *self.silent_since.get_or_insert(now);
        let (tries, time) = ENOUGH_UNANSWERED;
        let for_so_long = now.duration_since(since);
        (self.unanswered >= tries && for_so_long >= time).then(|| WorkerError::Unanswered {
            host,
            tries: self.unanswered,
            for_so_long,
            last: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mirror_channel::source::SourceError;
    use mirror_oci::DestinationError;
    use mirror_oci::registry::RegistryError;

    const HOST: &str = "registry.test";

    fn denied() -> TransferError {
        let error = RegistryError::LoginNeeded {
            host: "registry.test".into(),
            repository: "ns/x".into(),
        };
        TransferError::Destination(DestinationError::from(error))
    }

    fn disk_full() -> TransferError {
        let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
        TransferError::Spool {
            file: "x".into(),
            source: crate::spool::SpoolError::io("spool".as_ref(), error),
        }
    }

    fn nobody() -> TransferError {
        TransferError::Source(SourceError::Unreachable {
            url: "https://conda.test:8443/chan/linux-64/x-1-0.conda".into(),
            why: "Connection refused".into(),
        })
    }

    #[test]
    fn a_machine_that_fails_build_after_build_stops_the_run_and_a_success_between_does_not() {
        let denials = Denials::new(true);
        let now = Instant::now();
        // Both formats of each build.
        let errors = [disk_full(), disk_full()];
        let fail = |times| {
            (0..times)
                .filter_map(|_| denials.note((HOST, "x"), errors.iter(), now))
                .count()
        };
        assert_eq!(fail(ENOUGH_LOCAL - 1), 0);
        denials.success(HOST);
        assert_eq!(fail(ENOUGH_LOCAL - 1), 0);
        assert_eq!(fail(1), 1);
    }

    #[test]
    fn three_repositories_in_a_row_stop_the_run_and_a_success_between_does_not() {
        let denials = Denials::new(true);
        let errors = [denied()];
        let note = |at| denials.note(at, errors.iter(), Instant::now());
        assert!(note((HOST, "a")).is_none());
        assert!(note((HOST, "a")).is_none(), "one repository counts once");
        assert!(note((HOST, "b")).is_none());
        denials.success(HOST);
        assert!(note((HOST, "c")).is_none());
        assert!(note((HOST, "d")).is_none());
        assert!(note(("other.test", "e")).is_none(), "another registry");
        denials.success("third.test");
        assert!(matches!(
            note((HOST, "e")),
            Some(WorkerError::Refused {
                repositories: 3,
                ..
            })
        ));
    }

    #[test]
    fn beside_others_a_worker_that_is_refused_before_anything_got_on_stops_at_once() {
        let errors = [denied()];
        let denials = Denials::new(false);
        let note = |host| denials.note((host, "a"), errors.iter(), Instant::now());
        let at_once = |ended| matches!(ended, Some(WorkerError::RefusedAtOnce { .. }));
        assert!(at_once(note(HOST)));
        denials.success(HOST);
        assert!(note(HOST).is_none());
        assert!(at_once(note("other.test")), "it let nothing in yet");
    }

    #[test]
    fn a_host_that_is_gone_stops_the_run_and_one_that_comes_back_does_not() {
        let (tries, time) = ENOUGH_UNANSWERED;
        let start = Instant::now();
        let denials = Denials::new(true);
        let errors = [nobody(), nobody()];
        let at = |now| denials.note((HOST, "x"), errors.iter(), now);
        // A whole window of builds finds nobody at once, and again for minutes: it may be restarting.
        for _ in 0..10 * tries {
            assert!(at(start).is_none());
        }
        assert!(at(start + time - Duration::from_secs(1)).is_none());
        denials.success(HOST);
        // Few tries over a long time: a small run, or builds that wait.
        let later = start + 2 * time;
        for _ in 0..tries - 1 {
            assert!(at(later).is_none());
        }
        let error = at(later + time);
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        for part in [
            "nobody answers at conda.test:8443",
            "64 tries",
            "5 minutes",
            "run the same command again",
            "x-1-0.conda",
        ] {
            assert!(text.contains(part), "no {part:?} in {text:?}");
        }
    }

    #[test]
    fn what_a_channel_refuses_and_bytes_that_are_wrong_count_for_nothing() {
        let denials = Denials::new(true);
        let refused = TransferError::Source(SourceError::Denied {
            url: "https://conda.test/x".into(),
            status: 403,
        });
        let errors = [refused, TransferError::Unverifiable { file: "x".into() }];
        let start = Instant::now();
        for n in 0..100 {
            let now = start + n * Duration::from_secs(60);
            assert!(
                denials
                    .note((HOST, &n.to_string()), errors.iter(), now)
                    .is_none()
            );
        }
    }
}
