//! Makes a plan: streams over the records, looks them up in the ledger in batches, groups them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use mirror_channel::name::FileName;
use mirror_channel::repodata::{Limits, Record, RecordError, Section};
use mirror_channel::selection::{Choice, Newest, Selection};
use mirror_ledger::{FileOutcome, Outcomes, Recorded, Wanted};
use mirror_oci::layout::SubdirLayout;
use mirror_runtime::clock;

use super::classify::{Facts, fate};
use super::outside;
use super::refs::{Fate, FileRef, Grouped, Listing, Place, group};
use super::rows::{Row, Rows, Unusable};
use super::{NameTotal, Plan, Totals};
use crate::report::{Entry, Report, Verdict};

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
    /// Whether there is no published index yet.
    pub is_first: bool,
    pub limits: Limits,
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
        totals: Totals::default(),
        base_url: None,
        removed: Vec::new(),
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
        ..
    } = maker;
    let grouped = tokio::task::spawn_blocking(|| group(refs)).await?;
    totals.builds = grouped.work.len() as u64;
    totals.is_first = inputs.is_first;
    let names = sum(&grouped, &mut totals, names);
    totals.names = names.len() as u64;
    let outside = outside::Outside {
        subdir: inputs.subdir,
        floor: inputs.floor,
        ledger,
        report,
    };
    totals.outside += outside.removed(removed, &grouped).await?;
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
        current: open(inputs.current)?,
        archive: inputs.archive.map(open).transpose()?,
        limits: inputs.limits,
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
    names
        .into_iter()
        .map(|(name, number)| {
            let (files, bytes) = sums[number as usize];
            NameTotal { name, files, bytes }
        })
        .filter(|name| name.files > 0)
        .collect()
}

struct Maker<'a> {
    inputs: &'a Inputs<'a>,
    ledger: &'a dyn Outcomes,
    report: &'a Report,
    refs: Vec<FileRef>,
    /// The package names of the plan, numbered.
    names: HashMap<Box<str>, u32>,
    totals: Totals,
    base_url: Option<String>,
    removed: Vec<FileName>,
    newest: Option<Arc<Newest>>,
}

/// Ranks the versions of each name, where only the newest are wanted.
async fn newest(inputs: &Inputs<'_>) -> anyhow::Result<Option<Newest>> {
    let Some(ranking) = inputs.selection.ranking() else {
        return Ok(None);
    };
    let ranking = Arc::new(Mutex::new(ranking));
    let (selection, offered) = (Arc::clone(inputs.selection), Arc::clone(&ranking));
    let offer = move |record: &Record, json: &[u8]| {
        let mut ranking = offered.lock().expect("no panic under this lock");
        ranking.offer(&selection, record, json);
    };
    let mut rows = Rows::of(inputs.current, inputs.limits, offer)?;
    while let Some(batch) = rows.next().await {
        batch?;
    }
    drop(rows);
    let ranking = Arc::into_inner(ranking).expect("the reader has ended");
    let ranking = ranking.into_inner().expect("no panic under this lock");
    Ok(Some(ranking.finish()))
}

impl Maker<'_> {
    async fn read(&mut self, index: &Path, listing: Listing) -> anyhow::Result<()> {
        let (selection, newest) = (Arc::clone(self.inputs.selection), self.newest.clone());
        let judge =
            move |record: &Record, json: &[u8]| selection.judge(record, json, newest.as_deref());
        let mut rows = Rows::of(index, self.inputs.limits, judge)?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let (mut candidates, mut names) = (Vec::new(), Vec::new());
            if listing == Listing::Current {
                self.excluded(&batch).await?;
            }
            for row in batch {
                if let Some((record, stands)) = self.candidate(row, listing)? {
                    names.push(record.file.as_str().to_owned());
                    candidates.push((record, stands));
                }
            }
            let recorded = self.ledger.get_many(self.inputs.subdir, &names).await?;
            for ((record, place), recorded) in candidates.iter().zip(&recorded) {
                self.add(record, *place, listing, recorded.as_ref());
            }
            mirror_runtime::fail_point::hit("while-planning").await;
        }
        if listing == Listing::Current {
            self.base_url = rows.base_url().map(str::to_owned);
            self.removed = rows.removed().to_vec();
        }
        Ok(())
    }

    /// Counts and reports what is held of the excluded.
    async fn excluded(&mut self, batch: &[Row<Choice>]) -> anyhow::Result<()> {
        let excluded: Vec<&Record> = batch
            .iter()
            .filter_map(|row| match &row.record {
                Ok((record, Choice::Excluded)) => Some(record),
                _ => None,
            })
            .collect();
        let outside = outside::Outside {
            subdir: self.inputs.subdir,
            floor: self.inputs.floor,
            ledger: self.ledger,
            report: self.report,
        };
        self.totals.outside += outside.excluded(&excluded).await?;
        Ok(())
    }

    /// A record that concerns this run and has a place in the layout.
    fn candidate(
        &mut self,
        row: Row<Choice>,
        listing: Listing,
    ) -> anyhow::Result<Option<(Record, Stands)>> {
        let Row {
            offset,
            section,
            record,
            ..
        } = row;
        let (record, choice) = match record {
            Ok(judged) => judged,
            Err(error) => {
                // What the archive listing cannot say well, the current one says or nobody needs.
                if listing == Listing::Current {
                    self.unusable(&error)?;
                }
                return Ok(None);
            }
        };
        match choice {
            Choice::Selected => {}
            Choice::Unselected if self.is_listed(&record) => {}
            Choice::Unselected | Choice::Excluded => return Ok(None),
        }
        if let Err(reason) = self.inputs.layout.package(&record.file) {
            if listing == Listing::Current {
                self.totals.unrepresentable += 1;
                self.report.add(&Entry::left_out(
                    self.inputs.subdir,
                    record.file.as_str(),
                    Verdict::Unrepresentable,
                    &reason.to_string(),
                ))?;
            }
            return Ok(None);
        }
        let stands = Stands {
            offset,
            v3: matches!(section, Section::V3(_)),
            selected: choice == Choice::Selected,
        };
        Ok(Some((record, stands)))
    }

    fn unusable(&mut self, error: &Unusable) -> anyhow::Result<()> {
        let verdict = match error {
            Unusable::Record(RecordError::NotMirrored { .. }) => {
                self.totals.unrepresentable += 1;
                Verdict::Unrepresentable
            }
            _ => {
                self.totals.broken += 1;
                tracing::warn!(subdir = self.inputs.subdir, %error, "record left out");
                Verdict::BadRecord
            }
        };
        self.report.add(&Entry::left_out(
            self.inputs.subdir,
            &name_in(error),
            verdict,
            &error.to_string(),
        ))
    }

    fn is_listed(&self, record: &Record) -> bool {
        !self.inputs.listed.is_empty()
            && self.inputs.listed.contains(&hash_of(record.file.as_str()))
    }

    fn add(
        &mut self,
        record: &Record,
        stands: Stands,
        listing: Listing,
        recorded: Option<&Recorded>,
    ) {
        let facts = Facts {
            recorded,
            floor: self.inputs.floor,
            wanted: Wanted {
                sha256: record.sha256,
                md5: record.md5,
                size: record.size,
            },
            selected: stands.selected,
            listed: self.is_listed(record),
            now_ms: clock::now_ms(),
            retry_failed: self.inputs.retry_failed,
        };
        let Some(fate) = fate(&facts) else { return };
        if let (
            Fate::Rest,
            Some(Recorded {
                outcome: FileOutcome::Failed(failure),
                ..
            }),
        ) = (fate, recorded)
        {
            let due = failure.due_at_ms();
            self.totals.resting_due_ms = Some(
                self.totals
                    .resting_due_ms
                    .map_or(due, |earliest| earliest.min(due)),
            );
        }
        let name = self.number(record.file.name());
        let size = record.size.unwrap_or(0);
        let stem = hash_of(record.file.stem());
        let place = Place {
            offset: stands.offset,
            listing,
            archive: record.file.archive(),
            v3: stands.v3,
        };
        self.refs.push(FileRef::new(stem, name, size, place, fate));
    }

    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("an index has fewer names");
        self.names.insert(name.into(), number);
        number
    }
}

#[derive(Clone, Copy)]
struct Stands {
    offset: u64,
    v3: bool,
    selected: bool,
}

/// The file a broken record is about, as far as it says.
fn name_in(error: &Unusable) -> String {
    let error = match error {
        Unusable::Limit { key, .. } => return key.clone(),
        Unusable::Record(error) => error,
    };
    match error {
        // Wheels are listed without their extension.
        RecordError::NotMirrored {
            key,
            section: Section::Wheel,
        } if !key.ends_with(".whl") => format!("{key}.whl"),
        RecordError::NotMirrored { key, .. } => key.clone(),
        RecordError::Json { file, .. }
        | RecordError::Encoding { file }
        | RecordError::Missing { file, .. }
        | RecordError::Disagrees { file, .. }
        | RecordError::Hash { file, .. } => file.as_str().to_owned(),
        RecordError::Name(_) => String::new(),
    }
}

/// A hash of a name that is the same within one process.
pub(super) fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
