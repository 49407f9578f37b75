//! Tasks, made from the records when their turn comes.

use std::collections::BTreeMap;
use std::fs::File;

use mirror_channel::name::ArchiveType;
use mirror_channel::repodata::{Limits, Record, RepodataError, Section, read_at};
use mirror_queue::{Action, BuildName, Task, TaskFile};
use url::Url;

use super::Plan;
use super::make::{hash_of, stem_hash};
use super::refs::{BuildRef, Fate, FileRef, Listing};

/// What all tasks of a subdir share.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub registry: String,
    pub channel: String,
    pub subdir: String,
    pub source: Url,
    pub allow_unverified: bool,
    pub annotations: BTreeMap<String, String>,
}

/// A task of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub task: Task,
    /// Those of its files that only the listing of archived files names: mirrored, never indexed.
    pub yanked: Vec<String>,
}

impl Plan {
    /// The tasks of some builds of [`Plan::work`]. Reads from disk.
    ///
    /// # Errors
    /// When a record cannot be read again.
    pub(crate) fn tasks(
        &self,
        builds: &[BuildRef],
        template: &Template,
    ) -> Result<Vec<Planned>, RepodataError> {
        let mut tasks = Vec::with_capacity(builds.len());
        for build in builds {
            let mut of_build: Vec<Planned> = Vec::with_capacity(1);
            for (file, record) in self.records(*build)? {
                let stem = record.file.stem();
                // Two builds whose stems have one hash end in one group; here they part.
                let at = of_build
                    .iter()
                    .position(|planned| planned.task.stem() == stem);
                let at = at.unwrap_or_else(|| {
                    of_build.push(Planned {
                        task: self.task(&record, template),
                        yanked: Vec::new(),
                    });
                    of_build.len() - 1
                });
                let Planned { task, yanked } = &mut of_build[at];
                task.files.push(self.task_file(file, &record));
                if file.listing() == Listing::Archive {
                    yanked.push(record.file.as_str().to_owned());
                }
            }
            tasks.extend(of_build.into_iter().filter(|planned| {
                let mut files = planned.task.files.iter();
                files.any(|file| file.action != Action::Keep)
            }));
        }
        Ok(tasks)
    }

    /// The files of builds with nothing to do now, a batch of builds at a time.
    pub(crate) fn idle(
        &self,
    ) -> impl Iterator<Item = Result<Vec<(Fate, Listing, Record)>, RepodataError>> + '_ {
        self.idle.iter().map(|build| {
            let records = self.records(*build)?;
            Ok(records
                .into_iter()
                .map(|(file, record)| (file.fate(), file.listing(), record))
                .collect())
        })
    }

    fn records(&self, build: BuildRef) -> Result<Vec<(FileRef, Record)>, RepodataError> {
        let start = build.start as usize;
        let files = &self.refs[start..start + build.len as usize];
        let mut records = Vec::with_capacity(files.len());
        for file in files {
            let index = match (file.listing(), &self.archive) {
                (Listing::Archive, Some(archive)) => archive,
                _ => &self.current,
            };
            records.push((*file, read_record(index, *file, self.limits)?));
        }
        Ok(records)
    }

    fn task(&self, record: &Record, template: &Template) -> Task {
        let file = &record.file;
        let damage = self.repair.as_ref();
        let damage = damage.and_then(|repair| repair.of(&self.subdir));
        let renew = damage.is_some_and(|damage| damage.has(stem_hash(file)));
        Task {
            registry: template.registry.clone(),
            channel: template.channel.clone(),
            subdir: template.subdir.clone(),
            package: BuildName {
                name: file.name().to_owned(),
                version: file.version().to_owned(),
                build: file.build().to_owned(),
            },
            plan: self.number,
            probe: self.probe || renew,
            renew,
            attempt: 1,
            passed_on: 0,
            overtaken: None,
            allow_unverified: template.allow_unverified,
            annotations: template.annotations.clone(),
            source: template.source.clone(),
            files: Vec::with_capacity(2),
        }
    }

    fn task_file(&self, file: FileRef, record: &Record) -> TaskFile {
        TaskFile {
            file: record.file.as_str().to_owned(),
            action: match file.fate() {
                Fate::Transfer | Fate::Rest => Action::Transfer,
                Fate::Keep => Action::Keep,
                Fate::Check => Action::Check,
            },
            sha256: record.sha256,
            md5: record.md5,
            size: record.size,
            known_sha256: self.known.get(&hash_of(&record.file)).copied(),
        }
    }
}

/// Reads the record of a file again.
///
/// # Errors
/// When the index cannot be read.
pub(crate) fn read_record(
    index: &File,
    file: FileRef,
    limits: Limits,
) -> Result<Record, RepodataError> {
    let located = read_at(index, file.offset(), limits)?;
    let section = match (file.is_v3(), file.archive()) {
        (true, archive) => Section::V3(archive),
        (false, ArchiveType::Conda) => Section::PackagesConda,
        (false, ArchiveType::TarBz2) => Section::Packages,
    };
    let record = Record::parse(section, &located.key, &located.json);
    // It was parsed when its place was noted, and the file is ours.
    Ok(record.expect("a record that was read once reads the same again"))
}
