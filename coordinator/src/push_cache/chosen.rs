//! Reads a folder and decides about each of its packages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mirror_channel::name::FileName;
use mirror_channel::repodata::Record;
use mirror_channel::selection::Choice as Selected;

use super::PushCache;
use super::choose::{Choice, choose};
use super::listed::{listed, records};
use super::record::record;
use super::scan::{Package, Refused, scan};
use crate::local::{self, Found, Local};
use crate::plan::Latest;

/// What a folder has to be pushed.
#[derive(Default)]
pub(super) struct Chosen {
    /// Each with its record, and whether that is to be added.
    pub packages: BTreeMap<FileName, (Local, bool)>,
    pub refused: Vec<Refused>,
    /// Published already.
    pub held: Vec<Package>,
}

impl PushCache<'_> {
    /// What `push-cache` added before.
    pub(super) async fn local(&self) -> anyhow::Result<Option<Found>> {
        match &self.run.destination {
            Some(destination) => {
                local::read(destination, &self.layout, None, &self.run.scratch).await
            }
            None => Ok(None),
        }
    }

    /// Reads the folder and decides about each of its packages.
    pub(super) async fn choose(
        &self,
        folder: &Path,
        latest: Option<&Latest>,
    ) -> anyhow::Result<Chosen> {
        let (packages, refused) = scan(folder, |file| self.wants(file)).await?;
        let additions = self.local().await?.map(|found| found.additions);
        let additions = additions.unwrap_or_default();
        let published = match (latest, &self.run.destination) {
            (Some(latest), Some(destination)) if !packages.is_empty() => {
                let published = self
                    .run
                    .published(latest, &self.layout, destination)
                    .await?;
                let files: BTreeSet<_> = packages.iter().map(|package| &package.file).collect();
                match published {
                    Some(published) => records(published.path(), &files).await?,
                    None => BTreeMap::new(),
                }
            }
            _ => BTreeMap::new(),
        };
        // Another program lists files that it does not have.
        let is_hint = latest.is_some_and(|latest| !latest.is_ours());
        let mut chosen = Chosen {
            refused,
            ..Chosen::default()
        };
        let mut wanted = Vec::new();
        for package in packages {
            let listed = listed(&package, published.get(&package.file), &additions);
            match choose(listed, self.push.all || is_hint, self.push.force) {
                Choice::Skip => chosen.held.push(package),
                Choice::Clash => chosen.refused.push(clash(&package)),
                Choice::Add => wanted.push((package, true)),
                Choice::Again => wanted.push((package, false)),
            }
        }
        let at_once = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let mut read = stream::iter(wanted)
            .map(|(package, adds)| async move {
                let (subdir, limits) = (self.subdir.to_owned(), self.run.options.limits);
                let spool = self.run.scratch.clone();
                let reading = tokio::task::spawn_blocking(move || {
                    let record = record(&package, &subdir, &limits, &spool);
                    (package, record)
                });
                let (package, record) = reading.await?;
                anyhow::Ok((package, record, adds))
            })
            .buffered(at_once);
        while let Some((package, record, adds)) = read.try_next().await? {
            match record {
                Ok(record) => {
                    chosen.packages.insert(package.file, (record, adds));
                }
                Err(error) => chosen.refused.push(Refused {
                    file: package.file.as_str().to_owned(),
                    cause: error.to_string(),
                }),
            }
        }
        Ok(chosen)
    }

    /// Whether `--package` and `--exclude` want a file, by what its name says.
    fn wants(&self, file: Option<&FileName>) -> bool {
        let Some(file) = file else {
            return !self.push.narrowed;
        };
        let fields = [
            ("name", file.name()),
            ("version", file.version()),
            ("build", file.build()),
            ("subdir", self.subdir),
        ];
        let json = serde_json::to_vec(&BTreeMap::from(fields)).expect("texts have a JSON form");
        let record = Record {
            file: file.clone(),
            sha256: None,
            md5: None,
            size: None,
        };
        self.run.selection.judge(&record, &json, None) == Selected::Selected
    }
}

fn clash(package: &Package) -> Refused {
    Refused {
        file: package.file.as_str().to_owned(),
        cause: "the published index lists another file under this name, which is the channel's; --force puts this one in its place"
            .to_owned(),
    }
}
