//! One subdir: its index, its shards, its builds, and what stands beside them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use futures::{Stream, stream};
use mirror_channel::channel::Channel;
use mirror_channel::index;
use mirror_channel::repodata::RepodataError;
use mirror_channel::selection::Selection;
use mirror_channel::source::Fetcher;
use mirror_oci::Destination;
use mirror_oci::layout::{LATEST, SubdirLayout};
use mirror_runtime::Shutdown;

use super::against::{Comparison, archived};
use super::blob::Look;
use super::build::Checker;
use super::builds::{self, Builds};
use super::finding::{Class, Finding, Kind};
use super::findings::Findings;
use super::index::Reading;
use super::journal::{Journal, Left, Stage};
use super::progress::Progress;
use super::shards::{self, Shards};
use super::summary::SubdirVerdict;
use super::walk::{Walk, Walked};
use super::{channel, tags};
use crate::repair::Damage;

/// The channel that a mirror is compared with.
pub(crate) struct Against {
    pub channel: Channel,
    pub fetcher: Arc<Fetcher>,
    pub selection: Arc<Selection>,
}

/// What the looks at all subdirs of a mirror share.
pub(crate) struct Verifier<'a> {
    pub destination: &'a Destination,
    pub namespace: &'a str,
    pub channel: &'a str,
    pub against: Option<Against>,
    pub deep: bool,
    pub fresh: bool,
    pub workers: usize,
    pub scratch: &'a Path,
    /// Folder of the journals; `None`: no run goes on where this one stops.
    pub journals: Option<PathBuf>,
    pub shutdown: &'a Shutdown,
    pub progress: &'a Progress,
}

/// What a look at a subdir showed.
pub(crate) struct Looked {
    pub verdict: SubdirVerdict,
    pub findings: Findings,
    /// Kept until the run is over: nobody else verifies the same meanwhile.
    pub journal: Option<Journal>,
    /// The shards that were found sound.
    pub shards: HashSet<[u8; 32]>,
    pub interrupted: bool,
}

/// What a second look is about, after a repair.
pub(crate) struct Mended<'a> {
    pub damage: &'a Damage,
    /// Shards that were found sound before, and need no second look.
    pub shards: &'a HashSet<[u8; 32]>,
}

impl Verifier<'_> {
    /// Looks at a subdir; `None`: there is none. `chosen`: somebody asked for it. With `mended` only that is looked at,
    /// and the index.
    ///
    /// # Errors
    /// When nobody answers, or this machine is in the way.
    pub(crate) async fn look(
        &self,
        subdir: &str,
        chosen: bool,
        mended: Option<&Mended<'_>>,
    ) -> anyhow::Result<Option<Looked>> {
        let host = self.destination.host();
        let layout = SubdirLayout::new(host, self.namespace, self.channel, subdir)?;
        let look = Look {
            destination: self.destination,
            deep: self.deep,
        };
        let reading = Reading {
            look,
            layout: &layout,
            scratch: self.scratch,
        };
        let index = reading.read().await?;
        let Some(digest) = index.digest.map(|digest| digest.to_string()) else {
            return match chosen {
                false => Ok(None),
                true => self.without_index(subdir, index.findings).map(Some),
            };
        };
        let journal = match (&self.journals, mended) {
            (Some(folder), None) => {
                let path = folder.join(format!("{subdir}.jsonl"));
                Some(Journal::open(&path, &digest, self.deep, self.fresh)?)
            }
            _ => None,
        };
        let mut looked = Looked {
            verdict: SubdirVerdict {
                subdir: subdir.to_owned(),
                index: Some(digest),
                ours: index.ours,
                ..SubdirVerdict::default()
            },
            findings: Findings::none()?,
            journal,
            shards: HashSet::new(),
            interrupted: false,
        };
        let mut missing = index.findings;
        let builds = match &index.records {
            None => None,
            Some(records) => match builds::read(records.path(), &layout).await {
                Ok(builds) => Some(builds),
                Err(error) if error.is::<RepodataError>() => {
                    let (repository, cause) = (layout.index_repository(), format!("{error:#}"));
                    let finding =
                        Finding::new(Kind::IndexUnreadable, index::JSON, &repository, cause);
                    missing.push(finding.at(LATEST));
                    None
                }
                Err(error) => return Err(error),
            },
        };
        for finding in missing {
            looked.findings.add(finding)?;
        }
        let (Some(mut builds), Some(records)) = (builds, index.records) else {
            looked.end();
            return Ok(Some(looked));
        };
        for finding in std::mem::take(&mut builds.findings) {
            looked.findings.add(finding)?;
        }
        looked.verdict.records = builds.records;
        looked.verdict.builds = builds.all.len() as u64;
        let scope = Scope {
            verifier: self,
            layout: &layout,
            look,
            mended,
            subdir,
        };
        if let Some(theirs) = index.shards {
            let shards = shards::compare(&records, theirs, subdir, &layout, self.scratch).await?;
            if scope.shards(shards, &mut looked).await? == Walked::Interrupted {
                return Ok(Some(looked.cut_off()));
            }
        }
        let archived = scope.against(records.path(), &mut looked).await?;
        let builds = Arc::new(builds);
        if scope.builds(&builds, &mut looked).await? == Walked::Interrupted {
            return Ok(Some(looked.cut_off()));
        }
        if mended.is_none()
            && scope.tags(&builds, archived, &mut looked).await? == Walked::Interrupted
        {
            return Ok(Some(looked.cut_off()));
        }
        looked.end();
        Ok(Some(looked))
    }

    fn without_index(&self, subdir: &str, findings: Vec<Finding>) -> anyhow::Result<Looked> {
        let mut looked = Looked {
            verdict: SubdirVerdict {
                subdir: subdir.to_owned(),
                ..SubdirVerdict::default()
            },
            findings: Findings::none()?,
            journal: None,
            shards: HashSet::new(),
            interrupted: false,
        };
        for finding in findings {
            looked.findings.add(finding)?;
        }
        looked.end();
        Ok(looked)
    }
}

impl Looked {
    /// Counts what was found.
    fn end(&mut self) {
        self.verdict.damages = self.findings.counts(Class::Damage);
        self.verdict.differences = self.findings.counts(Class::Difference);
        let notes = self.findings.counts(Class::Note);
        self.verdict.outside = notes.values().sum();
        self.verdict.yanked = self.findings.yanked();
        self.verdict.shown = self.findings.shown().to_vec();
    }

    fn cut_off(mut self) -> Self {
        self.end();
        self.interrupted = true;
        self
    }
}

/// A look at one subdir.
struct Scope<'a> {
    verifier: &'a Verifier<'a>,
    layout: &'a SubdirLayout,
    look: Look<'a>,
    mended: Option<&'a Mended<'a>>,
    subdir: &'a str,
}

impl Scope<'_> {
    fn walk<'w>(&'w self, looked: &'w mut Looked) -> Walk<'w> {
        Walk {
            workers: self.verifier.workers,
            shutdown: self.verifier.shutdown,
            progress: self.verifier.progress,
            journal: looked.journal.as_mut(),
            findings: &mut looked.findings,
        }
    }

    fn left(&self, looked: &mut Looked, stage: Stage) -> Left {
        let left = looked.journal.as_ref().map(|journal| journal.left(stage));
        let left = left.unwrap_or_default();
        looked.verdict.resumed |= left.done() > 0;
        left
    }

    fn begin(&self, what: &str, all: usize, wanted: usize) {
        let what = format!("{what} of {}", self.subdir);
        self.verifier
            .progress
            .begin(what, all as u64, (all - wanted) as u64);
    }

    async fn shards(&self, mut shards: Shards, looked: &mut Looked) -> anyhow::Result<Walked> {
        looked.verdict.shards = shards.listed.len() as u64;
        for finding in std::mem::take(&mut shards.findings) {
            looked.findings.add(finding)?;
        }
        let left = self.left(looked, Stage::Shards);
        let wanted: Vec<usize> = (0..shards.listed.len())
            .filter(|ordinal| left.wants(*ordinal as u64))
            .filter(|ordinal| {
                let known =
                    |mended: &Mended<'_>| mended.shards.contains(&shards.listed[*ordinal].sha256);
                !self.mended.is_some_and(known)
            })
            .collect();
        self.begin("shards", shards.listed.len(), wanted.len());
        let items = ordinals(wanted);
        let (shards, scratch) = (&shards, self.verifier.scratch);
        let check = |ordinal: usize| async move {
            let listed = &shards.listed[ordinal];
            shards.check(self.look, self.layout, scratch, listed).await
        };
        let mut walk = self.walk(looked);
        let walked = walk.through(Stage::Shards, items, check).await?;
        let damaged = looked.findings.shards();
        let sound = shards.listed.iter().map(|listed| listed.sha256);
        looked.shards = sound.filter(|shard| !damaged.contains(shard)).collect();
        Ok(walked)
    }

    /// Compares with the channel, if that is wanted; gives the places of what it archived.
    async fn against(
        &self,
        mirrored: &Path,
        looked: &mut Looked,
    ) -> anyhow::Result<Option<HashSet<u64>>> {
        let Some(against) = &self.verifier.against else {
            return Ok(None);
        };
        let scratch = self.verifier.scratch;
        let (fetcher, of) = (&against.fetcher, &against.channel);
        let current = channel::current(fetcher, of, self.subdir, scratch).await?;
        let current = match current {
            Some(current) => current,
            // A subdir that the channel does not have is an empty one.
            None => {
                let mut empty = tempfile::NamedTempFile::new_in(scratch)?;
                std::io::Write::write_all(
                    &mut empty,
                    &mirror_channel::repodata::empty(self.subdir),
                )?;
                empty
            }
        };
        let comparison = Comparison {
            mirrored,
            current: current.path(),
            selection: &against.selection,
            layout: self.layout,
        };
        let compared = comparison.run(&mut looked.findings).await;
        compared.with_context(|| format!("compare {} with {}", self.subdir, of.display()))?;
        let listing = channel::archive(fetcher, of, self.subdir, scratch).await?;
        Ok(Some(match listing {
            Some(listing) => archived(listing.path(), self.layout).await?,
            None => HashSet::new(),
        }))
    }

    async fn builds(&self, builds: &Arc<Builds>, looked: &mut Looked) -> anyhow::Result<Walked> {
        let left = self.left(looked, Stage::Builds);
        let wanted: Vec<usize> = (0..builds.all.len())
            .filter(|ordinal| left.wants(*ordinal as u64))
            .filter(|ordinal| {
                let damaged = |mended: &Mended<'_>| mended.damage.has(builds.stem(*ordinal));
                self.mended.is_none_or(damaged)
            })
            .collect();
        self.begin("builds", builds.all.len(), wanted.len());
        let items = builds.stream(wanted);
        let checker = Checker::new(self.look, self.layout, self.verifier.scratch);
        let checker = &checker;
        let check = |records: Vec<_>| async move { checker.check(&records).await };
        let mut walk = self.walk(looked);
        walk.through(Stage::Builds, items, check).await
    }

    async fn tags(
        &self,
        builds: &Arc<Builds>,
        archived: Option<HashSet<u64>>,
        looked: &mut Looked,
    ) -> anyhow::Result<Walked> {
        let left = self.left(looked, Stage::Tags);
        let names = builds.names.len().saturating_sub(1);
        let wanted: Vec<usize> = (0..names)
            .filter(|ordinal| left.wants(*ordinal as u64))
            .collect();
        self.begin("repositories", names, wanted.len());
        let items = ordinals(wanted);
        let archived = &archived;
        let check = |name: usize| async move {
            let of_name: Vec<usize> = (builds.names[name]..builds.names[name + 1]).collect();
            let reading = Arc::clone(builds);
            let records = tokio::task::spawn_blocking(move || reading.records(&of_name)).await??;
            tags::outside(self.look, self.layout, &records, archived.as_ref()).await
        };
        let mut walk = self.walk(looked);
        walk.through(Stage::Tags, items, check).await
    }
}

/// Ordinals as the items of a stage.
fn ordinals(wanted: Vec<usize>) -> impl Stream<Item = anyhow::Result<(u64, usize)>> {
    stream::iter(
        wanted
            .into_iter()
            .map(|ordinal| Ok((ordinal as u64, ordinal))),
    )
}
