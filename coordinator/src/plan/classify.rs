//! What is to become of one record, decided from data alone.

use mirror_ledger::{FileOutcome, Recorded, Wanted};

use super::refs::Fate;

/// The facts a decision rests on.
pub(crate) struct Facts<'a> {
    /// What the ledger has of the file.
    pub recorded: Option<&'a Recorded>,
    /// Outcomes of lower plans are not believed.
    pub floor: u64,
    /// What upstream's record says.
    pub wanted: Wanted,
    /// Whether the user's selection names it.
    pub selected: bool,
    /// Whether a foreign index lists it.
    pub listed: bool,
    pub now_ms: u64,
    pub retry_failed: bool,
}

/// `None`: the file is no concern of this run.
pub(crate) fn fate(facts: &Facts<'_>) -> Option<Fate> {
    if !facts.selected && !facts.listed {
        return None;
    }
    let believed = facts
        .recorded
        .filter(|recorded| recorded.plan >= facts.floor);
    if believed.is_some_and(|recorded| recorded.outcome.is_done_as(&facts.wanted)) {
        return Some(Fate::Keep);
    }
    if !facts.selected {
        return Some(Fate::Check);
    }
    // A failure rests whatever the floor: it says nothing of the registry.
    match facts.recorded.map(|recorded| &recorded.outcome) {
        Some(FileOutcome::Failed(failure))
            if !failure.due(
                facts.now_ms,
                facts.wanted.sha256.as_ref(),
                facts.retry_failed,
            ) =>
        {
            Some(Fate::Rest)
        }
        _ => Some(Fate::Transfer),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mirror_ledger::{Failure, FailureKind};

    const SHA: [u8; 32] = [1; 32];

    fn decide(recorded: Option<Recorded>, edit: impl FnOnce(&mut Facts<'_>)) -> Option<Fate> {
        let wanted = Wanted {
            sha256: Some(SHA),
            md5: None,
            size: Some(5),
        };
        let mut facts = Facts {
            recorded: recorded.as_ref(),
            floor: 0,
            wanted,
            selected: true,
            listed: false,
            now_ms: 10_000_000,
            retry_failed: false,
        };
        edit(&mut facts);
        fate(&facts)
    }

    fn done() -> Option<Recorded> {
        Some(Recorded {
            plan: 5,
            outcome: FileOutcome::Done {
                sha256: SHA,
                md5: None,
                size: 5,
            },
        })
    }

    fn failed(kind: FailureKind) -> Option<Recorded> {
        let failure = Failure {
            kind,
            cause: "x".into(),
            attempts: 8,
            at_ms: 9_000_000,
            sha256: Some(SHA),
        };
        Some(Recorded {
            plan: 5,
            outcome: FileOutcome::Failed(failure),
        })
    }

    #[test]
    fn held_files_are_kept_and_others_transferred() {
        assert_eq!(decide(done(), |_| {}), Some(Fate::Keep));
        assert_eq!(decide(None, |_| {}), Some(Fate::Transfer));
        assert_eq!(
            decide(done(), |facts| facts.wanted.sha256 = Some([2; 32])),
            Some(Fate::Transfer),
            "new content"
        );
        assert_eq!(
            decide(done(), |facts| facts.floor = 6),
            Some(Fate::Transfer),
            "not believed"
        );
        assert_eq!(decide(done(), |facts| facts.selected = false), None);
    }

    #[test]
    fn a_failure_rests_for_an_hour_unless_it_was_denied_or_the_user_insists() {
        assert_eq!(
            decide(failed(FailureKind::Permanent), |_| {}),
            Some(Fate::Rest)
        );
        assert_eq!(
            decide(failed(FailureKind::Denied), |_| {}),
            Some(Fate::Transfer)
        );
        assert_eq!(
            decide(failed(FailureKind::Retry), |facts| facts.retry_failed =
                true),
            Some(Fate::Transfer)
        );
        assert_eq!(
            decide(failed(FailureKind::Retry), |facts| facts.now_ms =
                99_000_000),
            Some(Fate::Transfer)
        );
    }

    #[test]
    fn what_only_a_foreign_index_lists_is_looked_for() {
        let listed = |facts: &mut Facts<'_>| (facts.selected, facts.listed) = (false, true);
        assert_eq!(decide(None, listed), Some(Fate::Check));
        assert_eq!(decide(done(), listed), Some(Fate::Keep));
    }
}
