//! What a ledger remembers of a subdir as a whole.

use serde::{Deserialize, Serialize};

use crate::outcome::Recorded;

/// The last publication of a subdir and what it rests on. Kept as JSON: fields that a reader does
/// not know are ignored, fields that a writer did not know have their default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SubdirState {
    /// The last plan that was begun by who had the lease: a run with a lower one has lost it.
    pub plan: u64,
    /// Outcomes of plans below this number are not trusted: the registry was found without what
    /// they claim.
    pub floor: u64,
    /// The `latest` that was found and not believed when the floor was set. As long as it is still
    /// there, outcomes since then count, and nothing needs to be looked for again.
    pub disbelieved: Option<String>,
    /// Digest of the index manifest that we meant to PUT as `latest`, written before the PUT.
    pub intended: Option<String>,
    /// Digest of the index manifest that we know was PUT as `latest`.
    pub confirmed: Option<String>,
    /// Records in the last published index.
    pub records: u64,
    /// Records that it leaves out only because they are excluded; unknown where another ledger's
    /// publication was taken over.
    pub excluded: Option<u64>,
    /// What makes the next request to the channel conditional; opaque here.
    pub validator: Option<String>,
    /// Names the selection and options of the last run.
    pub fingerprint: String,
    /// Whether the last run brought every build of its plan to an outcome.
    pub complete: bool,
    /// Files that had failed when the last run ended.
    pub failures: u64,
    /// Records of the channel's index that the last run could not use.
    pub bad_records: u64,
    /// When the earliest failure is due for another try, in milliseconds since 1970 UTC.
    pub retry_due_ms: Option<u64>,
    /// When the last index was published, in milliseconds since 1970 UTC.
    pub published_ms: Option<u64>,
}

impl SubdirState {
    /// Whether an outcome is recent enough to be believed.
    #[must_use]
    pub fn trusts(&self, recorded: &Recorded) -> bool {
        recorded.plan >= self.floor
    }

    /// Whether `digest` is a publication of ours: the one we confirmed, or the one we meant to make
    /// when we were stopped.
    #[must_use]
    pub fn knows(&self, digest: &str) -> bool {
        [&self.intended, &self.confirmed]
            .into_iter()
            .any(|known| known.as_deref() == Some(digest))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::outcome::FileOutcome;

    #[test]
    fn states_of_earlier_and_later_versions_are_read() {
        let read: SubdirState =
            serde_json::from_str(r#"{"floor": 7, "mood": "later", "records": 2}"#).unwrap();
        let wanted = SubdirState {
            floor: 7,
            records: 2,
            ..SubdirState::default()
        };
        assert_eq!(read, wanted);
    }

    #[test]
    fn the_intended_and_the_confirmed_publication_are_both_known() {
        let state = SubdirState {
            intended: Some("sha256:b".to_owned()),
            confirmed: Some("sha256:a".to_owned()),
            ..SubdirState::default()
        };
        assert!(state.knows("sha256:a") && state.knows("sha256:b"));
        assert!(!state.knows("sha256:c"));
    }

    #[test]
    fn outcomes_below_the_floor_are_not_trusted() {
        let state = SubdirState {
            floor: 5,
            ..SubdirState::default()
        };
        let recorded = |plan| Recorded {
            plan,
            outcome: FileOutcome::Done {
                sha256: [0; 32],
                md5: None,
                size: 0,
            },
        };
        assert!(state.trusts(&recorded(5)));
        assert!(!state.trusts(&recorded(4)));
    }
}
