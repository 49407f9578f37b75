//! How far verifying a subdir has come, so that an interrupted one goes on there.
//!
//! A small file of lines: first what was verified, then, each time some more is done, how far that is and which of it was
//! remarkable. What was remarkable is looked at again, because it may have been mended since; of the rest only the number
//! is kept. A line that was cut off by a crash ends what is believed.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Raised when what is looked at changes, so that nobody goes on from less.
const VERSION: u32 = 1;

/// A part of the work, done in an order that is the same as long as the index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Shards,
    Builds,
    Tags,
}

/// What a journal is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    version: u32,
    /// Digest of the index manifest.
    index: String,
    deep: bool,
}

/// Some more that is done.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    stage: Stage,
    /// Everything below this ordinal is done.
    done: u64,
    /// Of what is new since the last step.
    remarkable: Vec<u64>,
}

/// What is left to do of a stage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left {
    done: u64,
    remarkable: Arc<HashSet<u64>>,
}

impl Left {
    /// Whether the item with this ordinal is to be looked at.
    pub(crate) fn wants(&self, ordinal: u64) -> bool {
        ordinal >= self.done || self.remarkable.contains(&ordinal)
    }

    /// How many were done before this run.
    pub(crate) fn done(&self) -> u64 {
        self.done - self.remarkable.len() as u64
    }
}

/// The journal of one subdir, which one process has at a time.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    left: BTreeMap<Stage, Left>,
    /// Why it cannot be written any more. Verifying goes on without it.
    broken: bool,
}

impl Journal {
    /// Opens the journal at `path`; what it says counts if it is about this index. `fresh`: it does not.
    ///
    /// # Errors
    /// When it cannot be opened, or another process verifies the same.
    pub(crate) fn open(path: &Path, index: &str, deep: bool, fresh: bool) -> anyhow::Result<Self> {
        let context = || format!("keep the progress in {}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(context)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(context)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "another conda-oci verifies the same mirror; it has {}",
                path.display()
            ),
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        let head = Head {
            version: VERSION,
            index: index.to_owned(),
            deep,
        };
        let mut journal = Self {
            path: path.to_owned(),
            file,
            left: BTreeMap::new(),
            broken: false,
        };
        let believed = match fresh {
            true => None,
            false => journal.read(&head).with_context(context)?,
        };
        let end = believed.unwrap_or(0);
        journal.file.set_len(end).with_context(context)?;
        journal
            .file
            .seek(SeekFrom::Start(end))
            .with_context(context)?;
        if believed.is_none() {
            journal.left.clear();
            journal.line(&head).with_context(context)?;
        }
        Ok(journal)
    }

    /// Reads what is there; up to which byte it counts. `None`: it is about something else.
    fn read(&mut self, head: &Head) -> io::Result<Option<u64>> {
        let mut lines = BufReader::new(&self.file);
        let (mut line, mut end) = (Vec::new(), 0);
        let mut remarkable: BTreeMap<Stage, HashSet<u64>> = BTreeMap::new();
        let mut done: BTreeMap<Stage, u64> = BTreeMap::new();
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            if end == 0 {
                if serde_json::from_slice::<Head>(&line).ok().as_ref() != Some(head) {
                    return Ok(None);
                }
            } else {
                let Ok(step) = serde_json::from_slice::<Step>(&line) else {
                    break;
                };
                done.insert(step.stage, step.done);
                remarkable
                    .entry(step.stage)
                    .or_default()
                    .extend(step.remarkable);
            }
            end += read as u64;
        }
        self.left = done
            .into_iter()
            .map(|(stage, done)| {
                let mut remarkable = remarkable.remove(&stage).unwrap_or_default();
                remarkable.retain(|ordinal| *ordinal < done);
                let remarkable = Arc::new(remarkable);
                (stage, Left { done, remarkable })
            })
            .collect();
        Ok((end > 0).then_some(end))
    }

    /// What is left to do of a stage.
    pub(crate) fn left(&self, stage: Stage) -> Left {
        self.left.get(&stage).cloned().unwrap_or_default()
    }

    /// Notes how far a stage is. A journal that cannot be written is given up: it is no reason not to verify.
    pub(crate) fn step(&mut self, stage: Stage, done: u64, remarkable: Vec<u64>) {
        if self.broken {
            return;
        }
        let step = Step {
            stage,
            done: done.max(self.left(stage).done),
            remarkable,
        };
        if let Err(error) = self.line(&step) {
            tracing::warn!(
                "cannot note in {} how far verifying is: {error}; an interrupted run will begin anew",
                self.path.display()
            );
            self.broken = true;
        }
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)
    }

    /// Everything is done: the next run begins anew.
    pub(crate) fn finish(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!("cannot remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(journal: &Journal, stage: Stage, of: u64) -> Vec<u64> {
        let left = journal.left(stage);
        (0..of).filter(|ordinal| left.wants(*ordinal)).collect()
    }

    #[test]
    fn an_interrupted_look_goes_on_and_looks_again_at_what_was_remarkable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/linux-64");
        let mut journal = Journal::open(&path, "sha256:a", false, false).unwrap();
        assert_eq!(wanted(&journal, Stage::Builds, 3), [0, 1, 2]);
        journal.step(Stage::Builds, 2, vec![1]);
        journal.step(Stage::Builds, 4, vec![]);
        drop(journal);
        let journal = Journal::open(&path, "sha256:a", false, false).unwrap();
        assert_eq!(wanted(&journal, Stage::Builds, 6), [1, 4, 5]);
        assert_eq!(journal.left(Stage::Builds).done(), 3);
        assert_eq!(wanted(&journal, Stage::Tags, 2), [0, 1]);
        drop(journal);
        for (index, deep, fresh) in [
            ("sha256:b", false, false),
            ("sha256:a", true, false),
            ("sha256:a", true, true),
        ] {
            let journal = Journal::open(&path, index, deep, fresh).unwrap();
            assert_eq!(wanted(&journal, Stage::Builds, 2), [0, 1], "{index} {deep}");
        }
    }

    #[test]
    fn a_line_that_was_cut_off_does_not_count_and_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("noarch");
        let mut journal = Journal::open(&path, "x", false, false).unwrap();
        journal.step(Stage::Shards, 2, vec![]);
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn.extend(&br#"{"stage":"shards","done":9,"#[..]);
        std::fs::write(&path, torn).unwrap();
        let journal = Journal::open(&path, "x", false, false).unwrap();
        assert_eq!(wanted(&journal, Stage::Shards, 4), [2, 3]);
        drop(journal);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn two_processes_do_not_verify_the_same_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("noarch");
        let first = Journal::open(&path, "x", false, false).unwrap();
        let second = Journal::open(&path, "x", false, false).unwrap_err();
        assert!(second.to_string().contains("another"), "{second}");
        first.finish();
        assert!(!path.exists());
    }
}
