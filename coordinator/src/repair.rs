//! What `conda-oci verify` found damaged, as a run of the mirror mends it: only the damaged builds are planned, whatever
//! the destination says of them they are brought anew, and the index is written anew where it was damaged itself.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, Write as _};
use std::sync::Mutex;

use mirror_channel::name::FileName;
use mirror_ledger::Outcomes;

use crate::plan::stem_hash;

/// Files whose outcomes are forgotten together.
const BATCH: usize = 1000;

/// What is to be mended, by subdir. A subdir without damage is left alone.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    pub subdirs: BTreeMap<String, Damage>,
}

impl Repair {
    pub(crate) fn of(&self, subdir: &str) -> Option<&Damage> {
        self.subdirs.get(subdir)
    }
}

/// What is damaged in a subdir. Eight bytes a build in memory; the names are on disk.
#[derive(Debug)]
pub(crate) struct Damage {
    /// Hashes ([`stem_hash`]) of the builds to bring anew.
    builds: HashSet<u64>,
    /// Names of their files, one a line.
    files: Mutex<File>,
    /// Whether the index is to be written anew, though the same be published.
    pub index: bool,
    /// Shards to push though the published shard index names them.
    pub shards: HashSet<[u8; 32]>,
}

impl Damage {
    /// No damage yet.
    ///
    /// # Errors
    /// When no temporary file can be made.
    pub(crate) fn none() -> io::Result<Self> {
        Ok(Self {
            builds: HashSet::new(),
            files: Mutex::new(tempfile::tempfile()?),
            index: false,
            shards: HashSet::new(),
        })
    }

    pub(crate) fn is_none(&self) -> bool {
        self.builds.is_empty() && !self.index && self.shards.is_empty()
    }

    /// A file that is not as the index says.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub(crate) fn add(&mut self, file: &FileName) -> io::Result<()> {
        self.builds.insert(stem_hash(file));
        let files = self.files.get_mut().expect("no panic under this lock");
        writeln!(files, "{}", file.as_str())
    }

    /// Whether the build with this [`stem_hash`] is damaged.
    pub(crate) fn has(&self, stem: u64) -> bool {
        self.builds.contains(&stem)
    }

    /// Forgets what the ledger says of the damaged files: until they are brought they are not held, also for later runs.
    ///
    /// # Errors
    /// When their names cannot be read, or the ledger cannot be asked.
    pub(crate) async fn forget(&self, subdir: &str, ledger: &dyn Outcomes) -> anyhow::Result<()> {
        let mut file = self
            .files
            .lock()
            .expect("no panic under this lock")
            .try_clone()?;
        file.rewind()?;
        let mut lines = BufReader::new(file).lines();
        loop {
            let batch: Vec<String> = lines.by_ref().take(BATCH).collect::<io::Result<_>>()?;
            if batch.is_empty() {
                return Ok(());
            }
            ledger.forget(subdir, &batch).await?;
        }
    }
}
