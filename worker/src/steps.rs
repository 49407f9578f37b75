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
pub(crate) fn steps(files: &[(Wanted, Action)], existing: Option<&Manifest>) -> Vec<Step> {
    let mut steps: Vec<Step> = files
        .iter()
        .map(|(wanted, action)| {
            let wanted = wanted.clone();
            let layer = existing
                .and_then(|manifest| wanted.layer_in(manifest))
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
            steps(&files, None),
            [Step::Fetch(conda.clone()), Step::Fetch(tar.clone())]
        );
        let existing = manifest("a-1-0.tar.bz2", b"t");
        let with = steps(&files, Some(&existing));
        assert!(matches!(with[..], [Step::Fetch(_), Step::Held(..)]));
        let stale = manifest("a-1-0.tar.bz2", b"old");
        assert!(
            steps(&files, Some(&stale))
                .iter()
                .all(|step| matches!(step, Step::Fetch(_)))
        );
    }

    #[test]
    fn a_file_to_keep_is_brought_when_the_tag_turns_out_to_lack_it() {
        let files = [(file("a-1-0.conda", b"c"), Action::Keep)];
        assert!(matches!(steps(&files, None)[..], [Step::Fetch(_)]));
    }

    #[test]
    fn a_file_only_looked_for_is_never_brought() {
        let files = [(file("a-1-0.conda", b"c"), Action::Check)];
        assert!(matches!(steps(&files, None)[..], [Step::Absent(_)]));
    }
}
