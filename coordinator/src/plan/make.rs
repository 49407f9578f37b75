//! Makes a plan: streams over the records, looks them up in the ledger in batches, groups them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use mirror_channel::name::{ArchiveType, FileName};
use mirror_channel::repodata::Limits;
use mirror_channel::selection::Selection;
use mirror_ledger::Outcomes;
use mirror_oci::layout::SubdirLayout;

use super::maker::Maker;
use super::newest::newest;
use super::outside::{Named, Outside};
use super::refs::{Fate, Grouped, Listing, group};
use super::{NameTotal, Plan, Totals};
use crate::repair::{Damage, Repair};
use crate::report::Report;

/// What a plan is made from.
pub(crate) struct Inputs<'a> {
    pub subdir: &'a str,
    pub number: u64,
    pub floor: u64,
    pub probe: bool,
    /// `repodata.json`, unpacked.
    pub current: &'a Path,
    /// `repodata_from_packages.json`, unpacked, where the channel has it.
    pub archive: Option<&'a Path>,
    pub selection: &'a Arc<Selection>,
    pub layout: &'a SubdirLayout,
    /// Hashes ([`hash_of`]) of the file names that a foreign index lists.
    pub listed: &'a HashSet<u64>,
    pub retry_failed: bool,
    /// Whether files whose records have no hash are taken as they come.
    pub allow_unverified: bool,
    /// Whether there is no published index yet, or another program's.
    pub rewrites_index: bool,
    pub limits: Limits,
    /// Whether what cannot be used is said: not where another plan of the same index will say it.
    pub says: bool,
    /// Only this is mended.
    pub repair: Option<&'a Arc<Repair>>,
}

impl Inputs<'_> {
    /// What of the subdir is to be mended, if the run only mends.
    pub(super) fn damage(&self) -> Option<&Damage> {
        self.repair?.of(self.subdir)
    }
}

/// Makes the plan of one subdir; what it leaves out for good goes to `report`.
///
/// # Errors
/// When the index cannot be read or the ledger cannot be asked.
pub(crate) async fn make(
    inputs: &Inputs<'_>,
    ledger: &dyn Outcomes,
    report: &Report,
) -> anyhow::Result<Plan> {
    let mut maker = Maker {
        inputs,
        ledger,
        report,
        refs: Vec::new(),
        names: HashMap::new(),
        last: Default::default(),
        totals: Totals::default(),
        base_url: None,
        removed: Vec::new(),
        named: Named::default(),
        left_out: HashSet::new(),
        known: HashMap::new(),
        newest: newest(inputs).await?.map(Arc::new),
    };
    maker.read(inputs.current, Listing::Current).await?;
    if let Some(archive) = inputs.archive {
        maker.read(archive, Listing::Archive).await?;
    }
    let Maker {
        refs,
        mut totals,
        names,
        base_url,
        removed,
        mut named,
        known,
        ..
    } = maker;
    let grouped = tokio::task::spawn_blocking(|| group(refs)).await?;
    totals.builds = grouped.work.len() as u64;
    totals.rewrites_index = inputs.rewrites_index;
    let names = sum(&grouped, &mut totals, names);
    totals.names = names.iter().filter(|name| name.files > 0).count() as u64;
    let outside = Outside {
        subdir: inputs.subdir,
        floor: inputs.floor,
        ledger,
        report,
    };
    totals.outside += outside.removed(&removed, &mut named).await?;
    let open = |path: &Path| {
        File::open(path).with_context(|| format!("open the index at {}", path.display()))
    };
    Ok(Plan {
        number: inputs.number,
        probe: inputs.probe,
        base_url,
        totals,
        names,
        work: grouped.work,
        idle: grouped.idle,
        refs: grouped.refs,
        known,
        current: open(inputs.current)?,
        archive: inputs.archive.map(open).transpose()?,
        limits: inputs.limits,
        repair: inputs.repair.cloned(),
        subdir: inputs.subdir.to_owned(),
    })
}

/// Counts what is to become of the files, and sums those to bring by name.
fn sum(grouped: &Grouped, totals: &mut Totals, names: HashMap<Box<str>, u32>) -> Vec<NameTotal> {
    let mut sums = vec![(0_u64, 0_u64); names.len()];
    for file in &grouped.refs {
        match file.fate() {
            Fate::Transfer => {
                totals.files += 1;
                totals.bytes += file.size;
                totals.of_unknown_size += u64::from(file.size == 0);
                let sum = &mut sums[file.name as usize];
                *sum = (sum.0 + 1, sum.1 + file.size);
            }
            Fate::Keep => {
                totals.held += 1;
                totals.outside += u64::from(file.listing() == Listing::Archive);
            }
            Fate::Rest => totals.resting += 1,
            Fate::Check => totals.checks += 1,
        }
    }
    totals.transfers = grouped
        .work
        .iter()
        .filter(|build| {
            let files = &grouped.refs[build.start as usize..][..build.len as usize];
            files.iter().any(|file| file.fate() == Fate::Transfer)
        })
        .count() as u64;
    names
        .into_iter()
        .map(|(name, number)| {
            let (files, bytes) = sums[number as usize];
            NameTotal { name, files, bytes }
        })
        .collect()
}

/// A hash of the file's build that is the same within one process.
pub(crate) fn stem_hash(file: &FileName) -> u64 {
    let mut hasher = DefaultHasher::new();
    file.stem().hash(&mut hasher);
    hasher.finish()
}

/// A hash of the file's name that is the same within one process.
pub(crate) fn hash_of(file: &FileName) -> u64 {
    hash_in(stem_hash(file), file.archive())
}

/// [`hash_of`] the file of this format in a build with this [`stem_hash`].
pub(super) fn hash_in(stem: u64, archive: ArchiveType) -> u64 {
    stem ^ u64::from(archive == ArchiveType::Conda)
}
