//! `push-cache`: packages of a local folder into the registry, their records into `repodata.json:local` and, merged, into
//! the published index.
//!
//! Files are pushed without the mirror's lease, as tasks of a plan like any other. `:local` is written under a lease of its
//! own, after its files; the index under the mirror's, unless a mirror has that: then the index is left to its next
//! publication. The folder is only read.

mod choose;
mod chosen;
mod listed;
mod local;
mod publish;
mod push;
mod record;
mod scan;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use mirror_channel::channel::Channel;
use mirror_channel::name::FileName;
use mirror_channel::subdir::NOARCH;
use mirror_ledger::{Ledger, LedgerError, RedbLedger};
use mirror_oci::layout::SubdirLayout;

use crate::parts;
use crate::run::Run;
use crate::subdirs::Ended;
use crate::summary::SubdirSummary;

/// Between two looks at a ledger that another `push-cache` has open.
const AGAIN: Duration = Duration::from_millis(200);

/// What is to be pushed, or taken out.
#[derive(Debug)]
pub(crate) struct Push {
    /// `--cache-dir`, absolute.
    pub cache_dir: PathBuf,
    /// Also what the published index lists.
    pub all: bool,
    /// Also in place of what the channel has under the same name.
    pub force: bool,
    /// Whether only some packages are meant (`--package`).
    pub narrowed: bool,
    /// Records to take out; nothing is pushed then.
    pub remove: Vec<FileName>,
    /// Those that were there to be taken out.
    pub found: Mutex<BTreeSet<FileName>>,
}

impl Push {
    /// The folder of a subdir: `<cache-dir>/<channel>/<subdir>` as the predecessor has it, or else `<cache-dir>/<subdir>`,
    /// as build tools leave their packages.
    pub(crate) fn folder(&self, channel: &Channel, subdir: &str) -> Option<PathBuf> {
        let of_channel = self.cache_dir.join(&channel.name).join(subdir);
        let plain = self.cache_dir.join(subdir);
        [of_channel, plain].into_iter().find(|path| path.is_dir())
    }

    /// Says in `ended` what was to be taken out and is nowhere.
    pub(crate) fn missing(&self, ended: &mut Ended) {
        let found = self.found.lock().expect("no panic under this lock");
        let missing = self.remove.iter().filter(|file| !found.contains(*file));
        let missing: Vec<&str> = missing.map(FileName::as_str).collect();
        if !missing.is_empty() && !ended.is_cut_off && ended.login.is_none() {
            ended.nothing_to_remove = Some(missing.join(", "));
        }
    }
}

/// Opens the ledger of `push-cache` at `path` for `name`. Another `push-cache` on this machine is waited for: its files and
/// ours go into one `:local`.
///
/// # Errors
/// When it cannot be opened.
pub(crate) async fn open_ledger(
    path: &Path,
    name: &str,
    dry_run: bool,
) -> anyhow::Result<Arc<dyn Ledger>> {
    if dry_run {
        return parts::open_ledger(path, name, dry_run).await;
    }
    let mut said = false;
    loop {
        let (path, name) = (path.to_owned(), name.to_owned());
        match tokio::task::spawn_blocking(move || RedbLedger::open(&path, &name)).await? {
            Ok(ledger) => return Ok(Arc::new(ledger)),
            Err(LedgerError::LockedBy { owner, .. }) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(owner, "waiting until it is done");
                }
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// One subdir's part of it.
pub(crate) struct PushCache<'a> {
    run: &'a Run,
    push: &'a Push,
    subdir: &'a str,
    layout: SubdirLayout,
}

impl<'a> PushCache<'a> {
    pub(crate) fn new(run: &'a Run, push: &'a Push, subdir: &'a str) -> anyhow::Result<Self> {
        let layout = SubdirLayout::new(&run.host(), run.namespace(), &run.channel.name, subdir)
            .context("the channel cannot be pushed under this name (--as NAME gives it another)")?;
        Ok(Self {
            run,
            push,
            subdir,
            layout,
        })
    }

    /// Pushes, or takes out; what was done goes to `summary`. `others`: whether there was something of another subdir.
    /// `false`: there is nothing of this one.
    ///
    /// # Errors
    /// When it cannot go on; failures of single files are in the summary.
    pub(crate) async fn run(
        self,
        others: bool,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<bool> {
        if !self.push.remove.is_empty() {
            return self.take_out(summary).await;
        }
        let folder = self.push.folder(&self.run.channel, self.subdir);
        let chosen = self.run.options.subdirs.iter().any(|s| s == self.subdir);
        let cache_dir = self.push.cache_dir.display();
        let (channel, subdir) = (&self.run.channel.name, self.subdir);
        match (&folder, subdir) {
            (Some(_), _) => {}
            (None, NOARCH) if others => {}
            (None, NOARCH) if !chosen && self.run.options.subdirs.is_empty() => anyhow::bail!(
                "{cache_dir} has nothing to push: neither {channel}/SUBDIR nor SUBDIR is a folder in it (--cache-dir)"
            ),
            // What was chosen says so itself.
            (None, NOARCH) if !chosen => return Ok(false),
            (None, _) if chosen => anyhow::bail!(
                "{cache_dir} has nothing of {subdir}: neither {channel}/{subdir} nor {subdir} is a folder in it (--cache-dir)"
            ),
            (None, _) => return Ok(false),
        }
        self.push_all_of(folder.as_deref(), summary).await?;
        Ok(true)
    }

    /// Sees to the packages of a folder, or only to an index where there is none.
    async fn push_all_of(
        &self,
        folder: Option<&Path>,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<()> {
        let Some(pushed) = self.bring(folder, summary).await? else {
            return Ok(());
        };
        self.publish(pushed, summary).await
    }
}
