//! What to do with each file of a task, decided from the task and the manifest at its tag.

use mirror_channel::name::{ArchiveType, FileName};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::package::Wanted;
use mirror_queue::{Action, TaskFile};

/// A file of the task and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The tag has it: nothing to do but to say so.
    Held(Wanted, Box<Descriptor>),
    /// It must be brought.
    Fetch(Wanted),
    /// It was only looked for, and is not there.
    Absent(Wanted),
}

impl Step {
    pub(crate) fn wanted(&self) -> &Wanted {
        match self {
            Self::Held(wanted, _) | Self::Fetch(wanted) | Self::Absent(wanted) => wanted,
        }
    }
}

/// The file of a task as the layout compares it.
pub(crate) fn wanted(file: &TaskFile) -> Option<Wanted> {
    Some(Wanted {
        file: file.file.parse::<FileName>().ok()?,
        sha256: file.sha256,
        md5: file.md5,
        size: file.size,
    })
}

/// Whether these files can be dealt with only by who has seen the manifest at the tag: a new one
/// would not name a file to keep, and a file to look for would never be found.
pub(crate) fn needs_probe(files: &[(Wanted, Action)]) -> bool {
    files.iter().any(|(_, action)| *action != Action::Transfer)
}

/// One step a file, `.conda` first: its `info` is the one the manifest shows.
///
/// `existing` is the manifest at the tag if there is one; see [`needs_probe`] for when it must have
/// been looked for. A file to keep that the tag does not have after all is brought like the others.
/// `allow_unverified`: whether a file whose record has no hash may be taken as it comes.
pub(crate) fn steps(
    files: &[(Wanted, Action)],
    existing: Option<&Manifest>,
    allow_unverified: bool,
) -> Vec<Step> {
    let mut steps: Vec<Step> = files
        .iter()
        .map(|(wanted, action)| {
            let wanted = wanted.clone();
            let layer = existing
                .and_then(|manifest| wanted.layer_in(manifest))
                .filter(|_| is_enough(&wanted, *action, allow_unverified))
                .cloned();
            match (layer, action) {
                (Some(layer), _) => Step::Held(wanted, Box::new(layer)),
                (None, Action::Check) => Step::Absent(wanted),
                (None, Action::Keep | Action::Transfer) => Step::Fetch(wanted),
            }
        })
        .collect();
    steps.sort_by_key(|step| step.wanted().file.archive() != ArchiveType::Conda);
    steps
}

/// Whether a layer that `wanted` recognises is the file.
///
/// A record with no hash recognises its layer by media type and size. That is enough for a file that
/// the ledger calls done, whatever this run allows: what is held stays held. Else the user must have
/// allowed such files, and the record must have a size, because the tag may hold an older file.
fn is_enough(wanted: &Wanted, action: Action, allow_unverified: bool) -> bool {
    wanted.has_hash() || action == Action::Keep || (allow_unverified && wanted.size.is_some())
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
        let files = [
            (tar.clone(), Action::Transfer),
            (conda.clone(), Action::Transfer),
        ];
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
        let files = [(file("a-1-0.conda", b"c"), Action::Keep)];
        assert!(matches!(steps(&files, None, false)[..], [Step::Fetch(_)]));
    }

    #[test]
    fn a_file_only_looked_for_is_never_brought() {
        let files = [(file("a-1-0.conda", b"c"), Action::Check)];
        assert!(matches!(steps(&files, None, false)[..], [Step::Absent(_)]));
    }

    #[test]
    fn a_file_without_a_hash_is_found_by_its_size_where_that_is_allowed_or_it_is_known_to_be_held()
    {
        let existing = manifest("a-1-0.conda", b"c");
        let is_held = |size: Option<u64>, action, allowed| {
            let mut wanted = file("a-1-0.conda", b"c");
            (wanted.sha256, wanted.size) = (None, size);
            let steps = steps(&[(wanted, action)], Some(&existing), allowed);
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
}
