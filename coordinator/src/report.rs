//! The report of a run: JSON, every file of the selection with what became of it. `docs/report.schema.json` describes it.
//!
//! Written as it happens, so that memory does not grow with the channel; it appears under its name
//! only when it is whole. Each subdir has a draft of its own: one that is planned anew says so of its files anew.

mod target;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context as _;
use mirror_runtime::local::{plain, remedy};
use serde::Serialize;

use target::Target;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Brought, or found, at the destination in this run.
    Done,
    /// Held since an earlier run.
    Held,
    /// Failed in this run.
    Failed,
    /// Failed in an earlier run, not yet due for another try.
    Resting,
    /// Listed by an index that somebody else wrote; looked for and not there.
    NotHeld,
    /// Planned and not settled when the run was stopped.
    Pending,
    /// Its name has no spelling in OCI, or its kind no place in the layout.
    Unrepresentable,
    /// Its record in the channel's index cannot be used.
    BadRecord,
}

/// Why the index does not list a file that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OutsideIndex {
    /// Only the channel's listing of archived files names it.
    Yanked,
    /// The channel's index names it as removed.
    Removed,
    /// `--exclude` or the undistributable list names it.
    Excluded,
}

/// One file of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    pub subdir: &'a str,
    pub file: &'a str,
    pub outcome: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
    /// Tries made, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why the index does not list it, where it is held all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside_index: Option<OutsideIndex>,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(subdir: &'a str, file: &'a str, outcome: Verdict) -> Self {
        Self {
            subdir,
            file,
            outcome,
            cause: None,
            attempts: None,
            bytes: None,
            sha256: None,
            outside_index: None,
        }
    }

    pub(crate) fn left_out(
        subdir: &'a str,
        file: &'a str,
        outcome: Verdict,
        cause: &'a str,
    ) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new(subdir, file, outcome)
        }
    }
}

/// A report being written; without a path it takes entries and forgets them.
#[derive(Debug)]
pub(crate) struct Report {
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// As the user named it.
    path: PathBuf,
    /// What the list of entries is called.
    list: &'static str,
    /// Gone when the report is finished.
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    target: Target,
    /// By subdir, entries with commas between; none is empty.
    drafts: BTreeMap<String, BufWriter<File>>,
    /// Why it cannot be written any more. The mirror goes on without it.
    broken: Option<std::io::Error>,
}

impl Report {
    /// A report to be written to `path`: a file, which is replaced, or a pipe or device, which is written to.
    ///
    /// # Errors
    /// When it or its folder cannot be written: better said before the run than after.
    pub(crate) fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        Self::of("files", path)
    }

    /// The same with a list of another name.
    ///
    /// # Errors
    /// As [`Report::create`].
    pub(crate) fn of(list: &'static str, path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::none());
        };
        let state = State::new(path)
            .with_context(|| format!("create the report {} (--report)", path.display()))?;
        Ok(Self {
            kept: Some(Kept {
                path: path.to_owned(),
                list,
                state: Mutex::new(Some(state)),
            }),
        })
    }

    /// A report that keeps nothing.
    pub(crate) fn none() -> Self {
        Self { kept: None }
    }

    /// Whether entries are kept; where not, making them can be spared.
    pub(crate) fn is_wanted(&self) -> bool {
        self.kept.is_some()
    }

    /// Adds a file. A report that cannot be written is given up, and [`Report::finish`] says so: it is no reason
    /// not to mirror.
    pub(crate) fn add(&self, entry: &Entry<'_>) {
        self.add_to(entry.subdir, entry);
    }

    /// Adds any entry of a subdir, likewise.
    pub(crate) fn add_to(&self, subdir: &str, entry: &impl Serialize) {
        let Some(kept) = &self.kept else {
            return;
        };
        let mut state = kept.state.lock().expect("no panic under this lock");
        let Some(state) = state.as_mut() else {
            return;
        };
        if state.broken.is_some() {
            return;
        }
        if let Err(error) = state.write(subdir, entry) {
            let error = plain(error);
            let path = kept.path.display();
            tracing::error!(
                "cannot write the report {path} (--report): {error}; {}; the mirror goes on without it",
                remedy(&error)
            );
            state.broken = Some(error);
        }
    }

    /// Forgets what was said of a subdir.
    pub(crate) fn forget(&self, subdir: &str) {
        if let Some(kept) = &self.kept {
            let mut state = kept.state.lock().expect("no panic under this lock");
            if let Some(state) = state.as_mut() {
                state.drafts.remove(subdir);
            }
        }
    }

    /// Closes the report with its summary and puts it where it was asked for. A named pipe waits for its reader.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(&self, summary: &impl Serialize) -> anyhow::Result<()> {
        let Some(Kept { path, list, state }) = &self.kept else {
            return Ok(());
        };
        let taken = state.lock().expect("no panic under this lock").take();
        let Some(state) = taken else {
            return Ok(());
        };
        state.close(list, summary).map_err(plain).map_err(|error| {
            let path = path.display();
            let remedy = match error.kind() {
                ErrorKind::BrokenPipe => "whoever was to read it has ended",
                _ => remedy(&error),
            };
            anyhow::anyhow!("cannot write the report {path} (--report): {error}; {remedy}")
        })
    }
}

impl State {
    fn new(path: &Path) -> anyhow::Result<Self> {
        let target = Target::of(path)?;
        // Better known now than at the first entry.
        target.draft().map_err(|error| {
            let (error, folder) = (plain(error), target.drafts());
            let folder = folder.display();
            anyhow::anyhow!("make a file in {folder}: {error}; {}", remedy(&error))
        })?;
        Ok(Self {
            target,
            drafts: BTreeMap::new(),
            broken: None,
        })
    }

    fn write(&mut self, subdir: &str, entry: &impl Serialize) -> std::io::Result<()> {
        if let Some(draft) = self.drafts.get_mut(subdir) {
            draft.write_all(b",\n")?;
            return Ok(serde_json::to_writer(draft, entry)?);
        }
        let mut draft = BufWriter::new(self.target.draft()?);
        serde_json::to_writer(&mut draft, entry)?;
        self.drafts.insert(subdir.to_owned(), draft);
        Ok(())
    }

    fn close(self, list: &str, summary: &impl Serialize) -> std::io::Result<()> {
        let Self {
            target,
            drafts,
            broken,
        } = self;
        broken.map_or(Ok(()), Err)?;
        let begin = format!("{{\"version\":1,\"{list}\":[\n");
        let mut whole: Box<dyn Read + '_> = Box::new(begin.as_bytes());
        for (number, draft) in drafts.into_values().enumerate() {
            let draft = draft.into_inner();
            let mut draft = draft.map_err(std::io::IntoInnerError::into_error)?;
            draft.rewind()?;
            let comma: &[u8] = if number == 0 { b"" } else { b",\n" };
            whole = Box::new(whole.chain(comma).chain(draft));
        }
        let summary = serde_json::to_vec(summary)?;
        let end = [&b"\n],\"summary\":"[..], &summary, b"}\n"].concat();
        target.put(whole.chain(&end[..]))
    }
}
