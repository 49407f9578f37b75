//! What is done for a build of which a worker was overtaken: its manifest may have replaced that of a later plan. Somebody
//! looks again, for what the later plan found right.

use mirror_ledger::{FileOutcome, Recorded};
use mirror_queue::{Action, Task};

/// The task that looks again, after the one of an earlier plan met outcomes of plan `by`.
pub(crate) fn look_again(mut task: Task, by: u64) -> Task {
    task.overtaken.get_or_insert(task.plan);
    // Or the outcome of that plan would settle it.
    task.plan = by + 1;
    task.probe = true;
    task.attempt = 1;
    task
}

/// Has the task want what later plans than the overtaken one have brought or wanted, by what was `recorded` of its files.
/// What they know nothing of stays wanted: the run of the overtaken plan may still wait for it. `false`: none of the files is
/// known to them, so nobody has put anything else at the tag.
pub(crate) fn catch_up(task: &mut Task, recorded: &[Option<Recorded>]) -> bool {
    let Some(overtaken) = task.overtaken else {
        return true;
    };
    let mut is_known = false;
    for (file, recorded) in task.files.iter_mut().zip(recorded) {
        let Some(later) = recorded.as_ref().filter(|later| later.plan > overtaken) else {
            continue;
        };
        is_known = true;
        let wanted = match &later.outcome {
            FileOutcome::Done { sha256, md5, size } => Some((*sha256, *md5, Some(*size))),
            FileOutcome::Failed(failure) => failure.sha256.map(|sha256| (sha256, None, None)),
        };
        if let Some((sha256, md5, size)) = wanted.filter(|wanted| Some(wanted.0) != file.sha256) {
            (file.sha256, file.md5, file.size) = (Some(sha256), md5, size);
            file.known_sha256 = None;
        }
        file.action = Action::Transfer;
    }
    is_known
}

#[cfg(test)]
mod tests {
    use super::*;
    use mirror_ledger::{Failure, FailureKind};
    use mirror_queue::{BuildName, TaskFile};

    fn task(files: &[(&str, Action)]) -> Task {
        let file = |(file, action): &(&str, Action)| TaskFile {
            file: (*file).to_owned(),
            action: *action,
            sha256: Some([1; 32]),
            md5: Some([1; 16]),
            size: Some(1),
            known_sha256: None,
        };
        Task {
            registry: "registry.test".into(),
            channel: "chan".into(),
            subdir: "noarch".into(),
            package: BuildName {
                name: "x".into(),
                version: "1".into(),
                build: "0".into(),
            },
            plan: 10,
            probe: false,
            attempt: 3,
            passed_on: 0,
            overtaken: None,
            allow_unverified: false,
            renew: false,
            annotations: Default::default(),
            source: "https://source.test/noarch/".parse().unwrap(),
            files: files.iter().map(file).collect(),
        }
    }

    fn done(plan: u64) -> Option<Recorded> {
        let outcome = FileOutcome::Done {
            sha256: [2; 32],
            md5: None,
            size: 2,
        };
        Some(Recorded { plan, outcome })
    }

    fn failed(plan: u64, sha256: Option<[u8; 32]>) -> Option<Recorded> {
        let failure = Failure {
            kind: FailureKind::Permanent,
            cause: "why".into(),
            attempts: 1,
            at_ms: 0,
            sha256,
        };
        let outcome = FileOutcome::Failed(failure);
        Some(Recorded { plan, outcome })
    }

    #[test]
    fn what_later_plans_brought_is_looked_for_and_not_what_the_overtaken_one_wanted() {
        let files = [
            ("x-1-0.conda", Action::Transfer),
            ("x-1-0.tar.bz2", Action::Keep),
        ];
        let mut again = look_again(task(&files), 20);
        assert_eq!((again.plan, again.overtaken), (21, Some(10)));
        assert_eq!((again.probe, again.attempt), (true, 1));
        assert!(catch_up(&mut again, &[done(20), None]));
        let conda = &again.files[0];
        assert_eq!(
            (conda.sha256, conda.md5, conda.size),
            (Some([2; 32]), None, Some(2))
        );
        assert_eq!(again.files[1].action, Action::Keep);
        assert_eq!(again.files[1].sha256, Some([1; 32]));
        let mut both = task(&[files[0], ("x-1-0.tar.bz2", Action::Transfer)]);
        both = look_again(both, 20);
        assert!(catch_up(&mut both, &[done(20), None]));
        assert_eq!(
            both.files[1].sha256,
            Some([1; 32]),
            "the run may wait for it"
        );
        // Overtaken once more it still is of the first plan.
        assert_eq!(look_again(again, 30).overtaken, Some(10));
    }

    #[test]
    fn what_they_failed_to_bring_is_tried_once_more_and_what_they_do_not_know_left_alone() {
        let files = [("x-1-0.conda", Action::Transfer)];
        for recorded in [None, done(10)] {
            let mut again = look_again(task(&files), 20);
            assert!(!catch_up(&mut again, &[recorded]), "{again:?}");
        }
        for (wanted, now) in [
            (None, ([1; 32], Some(1))),
            (Some([1; 32]), ([1; 32], Some(1))),
            (Some([3; 32]), ([3; 32], None)),
        ] {
            let mut again = look_again(task(&files), 20);
            assert!(catch_up(&mut again, &[failed(20, wanted)]));
            let file = &again.files[0];
            assert_eq!((file.sha256, file.size), (Some(now.0), now.1));
        }
        let mut usual = task(&files);
        assert!(catch_up(&mut usual, &[done(20)]));
        assert_eq!(usual, task(&files));
    }
}
