//! What to do with each file of a task, decided from the task and the manifest at its tag.

use mirror_channel::name::{ArchiveType, FileName};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::package::Wanted;
use mirror_queue::{Action, TaskFile};

/// A file of the task and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The tag has it: nothing to do but to say so.
    Held(Wanted, Box<Descriptor>),
    /// It must be brought.
    Fetch(Wanted),
    /// It was only looked for, and is not there.
    Absent(Wanted),
    /// Nothing can vouch for its bytes, and nobody allowed it all the same.
    Refused(Wanted),
}

impl Step {
    /// The file.
    #[must_use]
    pub fn wanted(&self) -> &Wanted {
        match self {
            Self::Held(wanted, _)
            | Self::Fetch(wanted)
            | Self::Absent(wanted)
            | Self::Refused(wanted) => wanted,
        }
    }
}

/// A file of the task as it is worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The file as its record describes it.
    pub wanted: Wanted,
    /// What the task wants done with it.
    pub action: Action,
    /// Of a file whose record has no hash: what an earlier run brought.
    pub known_sha256: Option<[u8; 32]>,
}

impl Asked {
    /// `None`: the file's name is none.
    #[must_use]
    pub fn of(file: &TaskFile) -> Option<Self> {
        Some(Self {
            wanted: Wanted {
                file: file.file.parse::<FileName>().ok()?,
                sha256: file.sha256,
                md5: file.md5,
                size: file.size,
            },
            action: file.action,
            known_sha256: file.known_sha256,
        })
    }

    /// The layer of `manifest` that is this file.
    ///
    /// A record with no hash recognises its layer by what an earlier run brought. Else by media type and size: enough
    /// for a file that the ledger calls done, or where the user takes such files as they come and the record has a
    /// size, because the tag may hold an older file.
    fn layer_in<'m>(
        &self,
        manifest: &'m Manifest,
        allow_unverified: bool,
    ) -> Option<&'m Descriptor> {
        let layer = self.wanted.layer_in(manifest)?;
        let by_size = allow_unverified && self.wanted.size.is_some();
        let is_it = match self.known_sha256 {
            _ if self.wanted.has_hash() => true,
            Some(known) => {
                layer.digest.sha256() == known || (by_size && self.action != Action::Keep)
            }
            None => by_size || self.action == Action::Keep,
        };
        is_it.then_some(layer)
    }

    /// Whether nothing at the tag can be this file, nor may it be brought.
    fn is_hopeless(&self, allow_unverified: bool) -> bool {
        let known = self.action == Action::Keep || self.known_sha256.is_some();
        !(known || self.may_be_brought(allow_unverified))
    }

    fn may_be_brought(&self, allow_unverified: bool) -> bool {
        self.wanted.has_hash() || allow_unverified
    }
}

/// Whether these files can be dealt with only by who has seen the manifest at the tag: a new one
/// would not name a file to keep, and a file to look for would never be found.
pub(crate) fn needs_probe(files: &[Asked]) -> bool {
    let mut files = files.iter();
    files.any(|file| file.action != Action::Transfer || file.known_sha256.is_some())
}

/// Whether what the tag holds can matter to any of these files. A planner makes no task of files that are refused in
/// any case, but one may arrive; it should cost no request.
pub(crate) fn are_worth_a_look(files: &[Asked], allow_unverified: bool) -> bool {
    files.iter().any(|file| !file.is_hopeless(allow_unverified))
}

/// One step a file, `.conda` first: its `info` is the one the manifest shows.
///
/// `existing` is the manifest at the tag if there is one; see `needs_probe` for when it must have
/// been looked for. A file to keep that the tag does not have after all is brought like the others.
/// `allow_unverified`: whether a file whose record has no hash may be taken as it comes.
#[must_use]
pub fn steps(files: &[Asked], existing: Option<&Manifest>, allow_unverified: bool) -> Vec<Step> {
    let mut steps: Vec<Step> = files
        .iter()
        .map(|file| {
            let layer = existing.and_then(|manifest| file.layer_in(manifest, allow_unverified));
            let wanted = file.wanted.clone();
            match (layer, file.action) {
                (Some(layer), _) => Step::Held(wanted, Box::new(layer.clone())),
                (None, Action::Check) => Step::Absent(wanted),
                (None, _) if !file.may_be_brought(allow_unverified) => Step::Refused(wanted),
                (None, Action::Keep | Action::Transfer) => Step::Fetch(wanted),
            }
        })
        .collect();
    steps.sort_by_key(|step| step.wanted().file.archive() != ArchiveType::Conda);
    steps
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mirror_oci::Digest;
    use mirror_oci::package::package_layer;

    fn file(name: &str, content: &[u8]) -> Wanted {
        let sha256 = Some(Digest::of(content).sha256());
        Wanted {
            file: name.parse().unwrap(),
            sha256,
            md5: None,
            size: Some(content.len() as u64),
        }
    }

    fn asked(wanted: Wanted, action: Action) -> Asked {
        Asked {
            wanted,
            action,
            known_sha256: None,
        }
    }

    fn manifest(name: &str, content: &[u8]) -> Manifest {
        let file: FileName = name.parse().unwrap();
        let layer = package_layer(
            &file,
            Digest::of(content),
            content.len() as u64,
            [0; 16],
            None,
        );
        Manifest::new(vec![layer], std::collections::BTreeMap::new())
    }

    #[test]
    fn only_what_the_tag_lacks_is_brought_and_the_conda_comes_first() {
        let (tar, conda) = (file("a-1-0.tar.bz2", b"t"), file("a-1-0.conda", b"c"));
        let files = [&tar, &conda].map(|wanted| asked(wanted.clone(), Action::Transfer));
        assert_eq!(
            steps(&files, None, false),
            [Step::Fetch(conda.clone()), Step::Fetch(tar.clone())]
        );
        let existing = manifest("a-1-0.tar.bz2", b"t");
        let with = steps(&files, Some(&existing), false);
        assert!(matches!(with[..], [Step::Fetch(_), Step::Held(..)]));
        let stale = manifest("a-1-0.tar.bz2", b"old");
        assert!(
            steps(&files, Some(&stale), false)
                .iter()
                .all(|step| matches!(step, Step::Fetch(_)))
        );
    }

    #[test]
    fn a_file_to_keep_is_brought_when_the_tag_turns_out_to_lack_it() {
        let files = [asked(file("a-1-0.conda", b"c"), Action::Keep)];
        assert!(matches!(steps(&files, None, false)[..], [Step::Fetch(_)]));
    }

    #[test]
    fn a_file_only_looked_for_is_never_brought() {
        let files = [asked(file("a-1-0.conda", b"c"), Action::Check)];
        assert!(matches!(steps(&files, None, false)[..], [Step::Absent(_)]));
    }

    #[test]
    fn a_file_without_a_hash_is_found_by_its_size_where_that_is_allowed_or_it_is_known_to_be_held()
    {
        let existing = manifest("a-1-0.conda", b"c");
        let is_held = |size: Option<u64>, action, allowed| {
            let mut wanted = file("a-1-0.conda", b"c");
            (wanted.sha256, wanted.size) = (None, size);
            let steps = steps(&[asked(wanted, action)], Some(&existing), allowed);
            matches!(steps[..], [Step::Held(..)])
        };
        for action in [Action::Transfer, Action::Check] {
            assert!(is_held(Some(1), action, true));
            assert!(!is_held(Some(1), action, false));
            assert!(!is_held(Some(2), action, true));
            assert!(!is_held(None, action, true), "it may be an older file");
        }
        for (size, held) in [(Some(1), true), (None, true), (Some(2), false)] {
            assert_eq!(is_held(size, Action::Keep, false), held);
        }
    }

    #[test]
    fn a_file_that_nothing_vouches_for_is_refused_without_a_look_unless_it_is_held_or_allowed() {
        let mut unhashed = file("a-1-0.conda", b"c");
        unhashed.sha256 = None;
        let hashed = asked(file("a-1-0.tar.bz2", b"t"), Action::Transfer);
        let with = |action| [asked(unhashed.clone(), action)];
        let existing = manifest("a-1-0.conda", b"c");
        let refused = with(Action::Transfer);
        assert!(!are_worth_a_look(&refused, false));
        assert!(!are_worth_a_look(&with(Action::Check), false));
        for manifest in [None, Some(&existing)] {
            let steps = steps(&refused, manifest, false);
            assert!(matches!(steps[..], [Step::Refused(_)]));
        }
        assert!(are_worth_a_look(&refused, true));
        assert!(are_worth_a_look(&with(Action::Keep), false));
        assert!(are_worth_a_look(&[refused[0].clone(), hashed], false));
    }

    #[test]
    fn a_file_without_a_hash_that_an_earlier_run_brought_is_held_by_what_that_was() {
        let existing = manifest("a-1-0.conda", b"c");
        for action in [Action::Transfer, Action::Keep, Action::Check] {
            for (content, size) in [(b"c", Some(1)), (b"c", None), (b"d", Some(1)), (b"d", None)] {
                let mut file = asked(file("a-1-0.conda", b"c"), action);
                (file.wanted.sha256, file.wanted.size) = (None, size);
                file.known_sha256 = Some(Digest::of(content).sha256());
                let files = [file];
                assert!(needs_probe(&files) && are_worth_a_look(&files, false));
                let held = matches!(steps(&files, Some(&existing), false)[..], [Step::Held(..)]);
                assert_eq!(held, content == b"c", "{action:?} {size:?}");
                let without = steps(&files, None, false);
                let refused = matches!(without[..], [Step::Refused(_)]);
                assert_eq!(refused, action != Action::Check, "{without:?}");
            }
        }
    }
}
