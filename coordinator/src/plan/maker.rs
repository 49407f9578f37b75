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
use super::judged::Judged;
use super::make::{Inputs, hash_in};
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
    /// The one asked for last: the records of a name stand together in most indexes.
    pub last: (Box<str>, u32),
    pub totals: Totals,
    pub base_url: Option<String>,
    /// What the index names as removed, as JSON.
    pub removed: Vec<u8>,
    pub named: Named,
    /// Hashes ([`hash_of`](super::make::hash_of)) of file names that were counted as left out, because a channel may list a file twice.
    pub left_out: HashSet<u64>,
    /// See [`super::Plan`].
    pub known: HashMap<u64, [u8; 32]>,
    pub newest: Option<Arc<Newest>>,
}

impl Maker<'_> {
    /// Reads one listing.
    pub(super) async fn read(&mut self, index: &Path, listing: Listing) -> anyhow::Result<()> {
        let (selection, newest) = (Arc::clone(self.inputs.selection), self.newest.clone());
        let layout = self.inputs.layout.clone();
        let (repair, subdir) = (self.inputs.repair.cloned(), self.inputs.subdir.to_owned());
        let judge = move |record: &Record, json: &[u8]| {
            let mut judged = Judged::of(record, json, &selection, newest.as_deref(), &layout);
            if let Some(repair) = &repair {
                judged.only_damaged(repair.of(&subdir));
            }
            judged
        };
        if listing == Listing::Archive {
            self.named.sort();
        }
        let mut rows = match listing {
            Listing::Current => Rows::with_removed(index, self.inputs.limits, judge)?,
            Listing::Archive => Rows::of(index, self.inputs.limits, judge)?,
        };
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            self.outside(&batch, listing).await?;
            let (mut candidates, mut names) = (Vec::new(), Vec::with_capacity(batch.len()));
            for row in &batch {
                if let Some((record, stands)) = self.candidate(row, listing) {
                    names.push(record.file.as_str().to_owned());
                    candidates.push((record, stands));
                }
            }
            let recorded = self.ledger.get_many(self.inputs.subdir, &names).await?;
            let now_ms = clock::now_ms();
            for ((record, stands), recorded) in candidates.iter().zip(&recorded) {
                self.add(record, *stands, now_ms, recorded.as_ref());
            }
            mirror_runtime::fail_point::hit("while-planning").await;
        }
        if listing == Listing::Current {
            self.base_url = rows.base_url().map(str::to_owned);
            self.removed = rows.take_removed();
        }
        Ok(())
    }

    /// Counts and reports what is held of the excluded, and of the yanked that are not selected.
    async fn outside(&mut self, batch: &[Row<Judged>], listing: Listing) -> anyhow::Result<()> {
        let (mut excluded, mut yanked) = (Vec::new(), Vec::new());
        for row in batch {
            let Ok((record, judged)) = &row.record else {
                continue;
            };
            let hash = judged.hash(record);
            let is_yanked = match listing {
                Listing::Current => {
                    self.named.current(hash);
                    false
                }
                Listing::Archive => self.named.archived(hash),
            };
            let list = match (listing, judged.choice) {
                (_, Choice::Selected) => continue,
                (Listing::Current, Choice::Excluded) => {
                    self.number(record.file.name());
                    &mut excluded
                }
                // What a foreign index lists is in the plan.
                (Listing::Archive, _) if is_yanked && !self.is_listed(hash) => &mut yanked,
                _ => continue,
            };
            if self.left_out.insert(hash) {
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
    fn candidate<'r>(
        &mut self,
        row: &'r Row<Judged>,
        listing: Listing,
    ) -> Option<(&'r Record, Stands)> {
        let (record, judged) = match &row.record {
            Ok(judged) => judged,
            Err(error) => {
                // What the archive listing cannot say well, the current one says or nobody needs.
                if listing == Listing::Current {
                    self.unusable(error, row.section);
                }
                return None;
            }
        };
        let hash = judged.hash(record);
        match judged.choice {
            Choice::Selected => {}
            Choice::Unselected if self.is_listed(hash) => {}
            // What was held once may have to be looked for: the ledger is asked first.
            Choice::Unselected if self.inputs.repair.is_some() => {}
            Choice::Unselected | Choice::Excluded => return None,
        }
        if !judged.has_place
            && let Err(reason) = self.inputs.layout.package(&record.file)
        {
            self.number(record.file.name());
            let is_new = self.left_out.insert(hash);
            if listing == Listing::Current && is_new {
                self.totals.unrepresentable += 1;
                self.report.add(&Entry::left_out(
                    self.inputs.subdir,
                    record.file.as_str(),
                    Verdict::Unrepresentable,
                    &reason.to_string(),
                ));
            }
            return None;
        }
        let stands = Stands {
            offset: row.offset,
            listing,
            section: row.section,
            stem: judged.stem,
            selected: judged.choice == Choice::Selected,
        };
        Some((record, stands))
    }

    /// Whether a foreign index lists the file with this hash.
    pub(super) fn is_listed(&self, file: u64) -> bool {
        !self.inputs.listed.is_empty() && self.inputs.listed.contains(&file)
    }

    /// Whether a repair is to look for a file that it was not told of: the ledger calls it done, and cannot be believed
    /// because the index it goes with is gone.
    fn was_lost(&self, record: &Record, recorded: Option<&Recorded>) -> bool {
        let wanted = Wanted {
            sha256: record.sha256,
            md5: record.md5,
            size: record.size,
        };
        self.inputs.damage().is_some()
            && recorded.is_some_and(|recorded| {
                recorded.plan < self.inputs.floor && recorded.outcome.is_done_as(&wanted)
            })
    }

    fn add(&mut self, record: &Record, stands: Stands, now_ms: u64, recorded: Option<&Recorded>) {
        let hash = hash_in(stands.stem, record.file.archive());
        let facts = Facts {
            recorded,
            floor: self.inputs.floor,
            wanted: Wanted {
                sha256: record.sha256,
                md5: record.md5,
                size: record.size,
            },
            selected: stands.selected || self.was_lost(record, recorded),
            listed: self.is_listed(hash),
            now_ms,
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
            self.known.insert(hash, sha256);
        }
        let is_told_apart = hashed || known.is_some();
        if fate == Fate::Transfer && !is_told_apart && !self.inputs.allow_unverified {
            // What is yanked besides is nobody's loss.
            if stands.listing == Listing::Current {
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
        let place = Place {
            offset: stands.offset,
            listing: stands.listing,
            archive: record.file.archive(),
            v3: matches!(stands.section, Section::V3(_)),
            hashed,
        };
        self.refs
            .push(FileRef::new(stands.stem, name, size, place, fate));
    }

    /// The number of a package name that the selection is about.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if *self.last.0 == *name {
            return self.last.1;
        }
        let number = self.names.get(name).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.names.len()).expect("an index has fewer names");
            self.names.insert(name.into(), number);
            number
        });
        self.last = (name.into(), number);
        number
    }
}

/// Where a record stands, and whether it was asked for.
#[derive(Clone, Copy)]
struct Stands {
    offset: u64,
    listing: Listing,
    section: Section,
    stem: u64,
    selected: bool,
}
