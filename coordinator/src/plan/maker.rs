//! Goes through the records of both listings and decides on each.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use mirror_channel::repodata::{Record, Section};
use mirror_channel::selection::{Choice, Newest};
use mirror_ledger::{FileOutcome, Outcomes, Recorded, Wanted};
use mirror_runtime::clock;

use super::Totals;
use super::classify::{Facts, fate};
use super::make::{Inputs, hash_of};
use super::outside::{Named, Outside};
use super::refs::{Fate, FileRef, Listing, Place};
use super::rows::{Row, Rows};
use super::unusable::Unusable;
use crate::report::{Entry, Report, Verdict};

/// A plan in the making.
pub(super) struct Maker<'a> {
    pub inputs: &'a Inputs<'a>,
    pub ledger: &'a dyn Outcomes,
    pub report: &'a Report,
    pub refs: Vec<FileRef>,
    /// The package names of the plan, numbered.
    pub names: HashMap<Box<str>, u32>,
    pub totals: Totals,
    pub base_url: Option<String>,
    /// What the index names as removed, as JSON.
    pub removed: Vec<u8>,
    pub named: Named,
    /// Hashes ([`hash_of`]) of file names that were counted as left out, because a channel may list a file twice.
    pub left_out: HashSet<u64>,
    /// See [`super::Plan`].
    pub known: HashMap<u64, [u8; 32]>,
    pub newest: Option<Arc<Newest>>,
}

impl Maker<'_> {
    /// Reads one listing.
    pub(super) async fn read(&mut self, index: &Path, listing: Listing) -> anyhow::Result<()> {
        let (selection, newest) = (Arc::clone(self.inputs.selection), self.newest.clone());
        let judge =
            move |record: &Record, json: &[u8]| selection.judge(record, json, newest.as_deref());
        let mut rows = match listing {
            Listing::Current => Rows::with_removed(index, self.inputs.limits, judge)?,
            Listing::Archive => Rows::of(index, self.inputs.limits, judge)?,
        };
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let (mut candidates, mut names) = (Vec::new(), Vec::new());
            self.outside(&batch, listing).await?;
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
        self.named.complete();
        if listing == Listing::Current {
            self.base_url = rows.base_url().map(str::to_owned);
            self.removed = rows.take_removed();
        }
        Ok(())
    }

    /// Counts and reports what is held of the excluded, and of the yanked that are not selected.
    async fn outside(&mut self, batch: &[Row<Choice>], listing: Listing) -> anyhow::Result<()> {
        let (mut excluded, mut yanked) = (Vec::new(), Vec::new());
        for row in batch {
            let Ok((record, choice)) = &row.record else {
                continue;
            };
            let is_yanked = match listing {
                Listing::Current => {
                    self.named.current(&record.file);
                    false
                }
                Listing::Archive => self.named.archived(&record.file),
            };
            let list = match (listing, choice) {
                (_, Choice::Selected) => continue,
                (Listing::Current, Choice::Excluded) => {
                    self.number(record.file.name());
                    &mut excluded
                }
                // What a foreign index lists is in the plan.
                (Listing::Archive, _) if is_yanked && !self.is_listed(record) => &mut yanked,
                _ => continue,
            };
            if self.left_out.insert(hash_of(record.file.as_str())) {
                list.push(record);
            }
        }
        let outside = Outside {
            subdir: self.inputs.subdir,
            floor: self.inputs.floor,
            ledger: self.ledger,
            report: self.report,
        };
        let count = outside.excluded(&excluded).await? + outside.yanked(&yanked).await?;
        self.totals.outside += count;
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
                    self.unusable(&error, section);
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
            self.number(record.file.name());
            let is_new = self.left_out.insert(hash_of(record.file.as_str()));
            if listing == Listing::Current && is_new {
                self.totals.unrepresentable += 1;
                self.report.add(&Entry::left_out(
                    self.inputs.subdir,
                    record.file.as_str(),
                    Verdict::Unrepresentable,
                    &reason.to_string(),
                ));
            }
            return Ok(None);
        }
        let stands = Stands {
            offset,
            v3: matches!(section, Section::V3(_)),
            section,
            selected: choice == Choice::Selected,
        };
        Ok(Some((record, stands)))
    }

    pub(super) fn is_listed(&self, record: &Record) -> bool {
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
        let hashed = facts.wanted.sha256.is_some() || facts.wanted.md5.is_some();
        // Done once, believed or not: a worker sees whether the tag still has exactly that.
        let known = match recorded.map(|recorded| &recorded.outcome) {
            Some(outcome @ FileOutcome::Done { sha256, .. })
                if !hashed && outcome.is_done_as(&facts.wanted) =>
            {
                Some(*sha256)
            }
            _ => None,
        };
        if let Some(sha256) = known {
            self.known.insert(hash_of(record.file.as_str()), sha256);
        }
        let is_told_apart = hashed || known.is_some();
        if fate == Fate::Transfer && !is_told_apart && !self.inputs.allow_unverified {
            // What is yanked besides is nobody's loss.
            if listing == Listing::Current {
                let file = record.file.clone();
                self.unusable(&Unusable::Unverifiable { file }, stands.section);
            }
            return;
        }
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
            hashed,
        };
        self.refs.push(FileRef::new(stem, name, size, place, fate));
    }

    /// The number of a package name that the selection is about.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("an index has fewer names");
        self.names.insert(name.into(), number);
        number
    }
}

/// Where a record stands, and whether it was asked for.
#[derive(Clone, Copy)]
struct Stands {
    offset: u64,
    v3: bool,
    section: Section,
    selected: bool,
}
