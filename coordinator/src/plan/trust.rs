//! How far the ledger and the published index are believed, decided from what both say.

use std::str::FromStr;

use mirror_ledger::SubdirState;
use mirror_oci::manifest::Manifest;
use mirror_oci::{Digest, StoredManifest};

/// Annotation by which an index manifest of ours is known. Its value is the version of what we
/// publish, not of the program: an upgrade must not rewrite every index.
pub(crate) const GENERATOR: &str = "org.conda.oci.generator";
/// The value we write. Whoever changes what is published of an unchanged channel on purpose (the plain index, its shards,
/// the shard index, how they are compressed) raises it: a channel whose plain index stays the same keeps the publication it
/// has until then (`publish::same`). `publish::golden` fails where that is forgotten.
pub(crate) const GENERATED_BY: &str = "conda-oci/1";
/// Annotation with the number of records of an index, for the shrink guard.
pub(crate) const RECORDS: &str = "org.conda.oci.records";
/// Annotation with the digest of the `:local` that is merged into an index.
pub(crate) const MERGED: &str = "org.conda.oci.local";

/// The index manifest found at `latest`.
#[derive(Debug, Clone)]
pub(crate) struct Latest {
    pub digest: Digest,
    /// `None` when it cannot be read as an image manifest.
    pub manifest: Option<Manifest>,
}

impl Latest {
    pub(crate) fn of(stored: &StoredManifest) -> Self {
        Self {
            digest: stored.digest,
            manifest: Manifest::from_bytes(&stored.bytes).ok(),
        }
    }

    /// Whether a program like this one wrote it.
    pub(crate) fn is_ours(&self) -> bool {
        let annotation = self
            .manifest
            .as_ref()
            .and_then(|manifest| manifest.annotations.get(GENERATOR));
        annotation.is_some()
    }

    /// The `:local` that it says is merged into it.
    pub(crate) fn merged(&self) -> Option<Digest> {
        self.annotation(MERGED)
    }

    fn annotation<T: FromStr>(&self, key: &str) -> Option<T> {
        let annotations = &self.manifest.as_ref()?.annotations;
        annotations.get(key)?.parse().ok()
    }

    /// How many records it says it lists.
    pub(crate) fn records(&self) -> Option<u64> {
        self.annotation(RECORDS)
    }
}

/// What may be believed without asking the registry for each file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// `latest` is the publication the ledger knows: what it calls done is held.
    Ledger,
    /// No `latest`, and the ledger knows of none: a first fill. What the ledger calls done is held.
    FirstFill,
    /// A `latest` of ours that the ledger does not know: it was lost, or another one published. What
    /// the index lists is held, after a sample.
    Index,
    /// The same after the sample was missing, in an earlier run that was interrupted: what was looked
    /// for since counts.
    Disbelieved,
    /// A `latest` that somebody else wrote: a hint only.
    Foreign,
    /// The same in a run after an interrupted one: what was looked for since counts.
    ForeignAgain,
    /// The ledger knows a publication and there is none: the registry was emptied.
    Emptied,
}

impl Trust {
    /// Decides from the ledger's memory and the registry's answer.
    pub(crate) fn of(state: Option<&SubdirState>, latest: Option<&Latest>) -> Self {
        let Some(latest) = latest else {
            let confirmed = state.is_some_and(|state| state.confirmed.is_some());
            return if confirmed {
                Self::Emptied
            } else {
                Self::FirstFill
            };
        };
        let digest = latest.digest.to_string();
        let known = state.is_some_and(|state| state.knows(&digest));
        let again = state.is_some_and(|state| state.disbelieved.as_ref() == Some(&digest));
        match (known, latest.is_ours(), again) {
            (true, _, _) => Self::Ledger,
            (false, true, false) => Self::Index,
            (false, true, true) => Self::Disbelieved,
            (false, false, false) => Self::Foreign,
            (false, false, true) => Self::ForeignAgain,
        }
    }

    /// Whether what the ledger called done before this run still counts.
    pub(crate) fn keeps_outcomes(self) -> bool {
        !matches!(self, Self::Index | Self::Foreign | Self::Emptied)
    }

    /// Whether somebody else's index is at `latest`.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Foreign | Self::ForeignAgain)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    fn latest(ours: bool) -> Latest {
        let annotations = if ours {
            BTreeMap::from([
                (GENERATOR.to_owned(), "conda-oci/0".to_owned()),
                (RECORDS.to_owned(), "7".to_owned()),
            ])
        } else {
            BTreeMap::new()
        };
        let bytes = Manifest::new(Vec::new(), annotations).to_bytes();
        Latest::of(&StoredManifest {
            digest: Digest::of(&bytes),
            bytes,
        })
    }

    fn state(intended: Option<&Latest>, confirmed: Option<&Latest>) -> SubdirState {
        let text = |latest: Option<&Latest>| latest.map(|latest| latest.digest.to_string());
        SubdirState {
            intended: text(intended),
            confirmed: text(confirmed),
            ..SubdirState::default()
        }
    }

    #[test]
    fn each_pair_of_memories_has_one_meaning() {
        let (ours, foreign) = (latest(true), latest(false));
        assert_eq!(Trust::of(None, None), Trust::FirstFill);
        assert_eq!(
            Trust::of(Some(&state(Some(&ours), None)), None),
            Trust::FirstFill,
            "killed before the first PUT"
        );
        assert_eq!(
            Trust::of(Some(&state(None, Some(&ours))), None),
            Trust::Emptied
        );
        assert_eq!(
            Trust::of(Some(&state(None, Some(&ours))), Some(&ours)),
            Trust::Ledger
        );
        assert_eq!(
            Trust::of(Some(&state(Some(&ours), Some(&foreign))), Some(&ours)),
            Trust::Ledger,
            "killed after the PUT"
        );
        assert_eq!(Trust::of(None, Some(&ours)), Trust::Index);
        assert_eq!(
            Trust::of(Some(&state(None, Some(&foreign))), Some(&ours)),
            Trust::Index
        );
        assert_eq!(Trust::of(None, Some(&foreign)), Trust::Foreign);
        assert_eq!(ours.records(), Some(7));
        for (latest, meaning) in [(&ours, Trust::Disbelieved), (&foreign, Trust::ForeignAgain)] {
            let disbelieved = SubdirState {
                disbelieved: Some(latest.digest.to_string()),
                ..SubdirState::default()
            };
            assert_eq!(Trust::of(Some(&disbelieved), Some(latest)), meaning);
        }
    }
}
