//! Properties of planning over made-up channels: what is planned, done and planned again leaves nothing to do.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use mirror_channel::name::ArchiveType;
use mirror_channel::repodata::Limits;
use mirror_channel::selection::{Filters, Selection};
use mirror_ledger::{Failure, FailureKind, FileOutcome, Ledger, Outcomes as _, RedbLedger};
use mirror_oci::layout::SubdirLayout;
use mirror_queue::{Action, TaskFile};
use mirror_runtime::clock;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Inputs, Plan, Template, make};
use crate::report::Report;

const SUBDIR: &str = "linux-64";

/// A record of a made-up channel.
#[derive(Debug, Clone)]
struct Made {
    name: &'static str,
    version: &'static str,
    build: u8,
    conda: bool,
    place: Place,
    /// Its sha256 is left out; the md5 vouches.
    md5_only: bool,
    broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Current,
    V3,
    /// In `packages` and in `v3`.
    Twice,
    Yanked,
    /// Current, and with other bytes in the listing of archived files.
    Both,
}

#[derive(Debug, Clone)]
struct World {
    records: Vec<Made>,
    packages: Vec<String>,
    excluded: Vec<String>,
    latest: Option<u32>,
    conda_only: bool,
    /// One bit a transfer, in turn: whether it fails.
    failures: u64,
}

fn made() -> impl Strategy<Value = Made> {
    let place = prop_oneof![
        4 => Just(Place::Current),
        1 => Just(Place::V3),
        1 => Just(Place::Twice),
        1 => Just(Place::Yanked),
        1 => Just(Place::Both),
    ];
    (
        // Of these, one has no spelling in OCI, and one gets `zzz`.
        prop::sample::select(vec!["zlib", "xz", "_low", "Capital~", "a.b"]),
        prop::sample::select(vec!["1.0", "1.0.0", "1.10", "1!2.0", "2.0rc1"]),
        0..3_u8,
        any::<bool>(),
        place,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(name, version, build, conda, place, md5_only, broken)| Made {
                name,
                version,
                build,
                conda,
                place,
                md5_only,
                broken,
            },
        )
}

fn world() -> impl Strategy<Value = World> {
    let pattern = || prop::sample::select(vec!["zlib", "x*", "a.b >=1.5", "_low", "zlib@1.0"]);
    (
        prop::collection::vec(made(), 0..30),
        prop::collection::vec(pattern().prop_map(str::to_owned), 0..3),
        prop::collection::vec(pattern().prop_map(str::to_owned), 0..2),
        prop::option::of(1..3_u32),
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |(records, packages, excluded, latest, conda_only, failures)| World {
                records,
                packages,
                excluded,
                latest,
                conda_only,
                failures,
            },
        )
}

impl Made {
    fn stem(&self) -> String {
        format!("{}-{}-h{}_0", self.name, self.version, self.build)
    }

    fn extension(&self) -> &'static str {
        if self.conda { "conda" } else { "tar.bz2" }
    }

    fn file(&self) -> String {
        format!("{}.{}", self.stem(), self.extension())
    }

    /// The record; `edition` tells its bytes apart from those of others with this name.
    fn json(&self, edition: u8) -> Value {
        let digest = |len: usize| {
            let seed = rattler_digest::compute_bytes_digest::<rattler_digest::Sha256>(format!(
                "{} {edition}",
                self.file()
            ));
            seed[..len]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let mut record = json!({
            "name": self.name, "version": self.version, "build": format!("h{}_0", self.build),
            "build_number": self.build, "size": 100 + u64::from(edition), "md5": digest(16),
        });
        if !self.md5_only {
            record["sha256"] = json!(digest(32));
        }
        if self.broken {
            record["version"] = json!("none of it");
        }
        record
    }
}

/// `repodata.json` and `repodata_from_packages.json`.
fn listings(records: &[Made]) -> (Value, Value) {
    let mut current: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut v3: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut archive: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let section = |made: &Made| {
        if made.conda {
            "packages.conda"
        } else {
            "packages"
        }
    };
    // A file is listed in one way; of several that came up the first counts.
    let mut seen = HashSet::new();
    for made in records.iter().filter(|made| seen.insert(made.file())) {
        let mut list = |edition| {
            let listed = current.entry(section(made)).or_default();
            listed.insert(made.file(), made.json(edition));
        };
        match made.place {
            Place::Current => list(0),
            Place::V3 => {}
            Place::Twice | Place::Both => list(0),
            Place::Yanked => {}
        }
        if matches!(made.place, Place::V3 | Place::Twice) {
            let bucket = v3.entry(made.extension()).or_default();
            bucket.insert(made.stem(), made.json(0));
        }
        if matches!(made.place, Place::Yanked | Place::Both) {
            let listed = archive.entry(section(made)).or_default();
            listed.insert(made.file(), made.json(1));
        }
    }
    let mut document = json!(current);
    document["v3"] = json!(v3);
    (document, json!(archive))
}

struct Bench {
    folder: tempfile::TempDir,
    ledger: RedbLedger,
    selection: Arc<Selection>,
    layout: SubdirLayout,
}

impl Bench {
    fn new(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (current, archive) = listings(&world.records);
        std::fs::write(folder.path().join("current"), current.to_string()).unwrap();
        std::fs::write(folder.path().join("archive"), archive.to_string()).unwrap();
        let filters = Filters {
            packages: world.packages.clone(),
            excluded: world.excluded.clone(),
            latest: world.latest.and_then(NonZeroU32::new),
            formats: match world.conda_only {
                true => vec![ArchiveType::Conda],
                false => Vec::new(),
            },
            ..Filters::default()
        };
        Self {
            ledger: RedbLedger::open(folder.path().join("ledger"), "test").unwrap(),
            folder,
            selection: Arc::new(Selection::new(&filters, 0).unwrap()),
            layout: SubdirLayout::new("r.test", "ns", "c", SUBDIR).unwrap(),
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn plan(&self, retry_failed: bool) -> Plan {
        let (current, archive) = (self.path("current"), self.path("archive"));
        let inputs = Inputs {
            subdir: SUBDIR,
            number: self.ledger.begin_plan(SUBDIR).await.unwrap(),
            floor: 0,
            probe: false,
            current: &current,
            archive: Some(Path::new(&archive)),
            selection: &self.selection,
            layout: &self.layout,
            listed: &HashSet::new(),
            retry_failed,
            allow_unverified: false,
            rewrites_index: false,
            limits: Limits::default(),
            says: true,
            repair: None,
        };
        let ledger: &dyn Ledger = &self.ledger;
        make(&inputs, ledger, &Report::none()).await.unwrap()
    }

    /// Does what the plan says; the transfers whose bit is set fail. Gives the files done and failed.
    async fn execute(
        &self,
        plan: &Plan,
        mut failures: u64,
    ) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut done, mut failed) = (BTreeSet::new(), BTreeSet::new());
        for file in transfers(plan) {
            let fails = failures & 1 == 1;
            failures = failures.rotate_right(1);
            let outcome = if fails {
                FileOutcome::Failed(Failure {
                    kind: FailureKind::Permanent,
                    cause: "made up".to_owned().into(),
                    attempts: 1,
                    at_ms: clock::now_ms(),
                    sha256: file.sha256,
                })
            } else {
                FileOutcome::Done {
                    sha256: file.sha256.unwrap_or([9; 32]),
                    md5: file.md5.filter(|_| file.sha256.is_none()),
                    size: file.size.unwrap(),
                }
            };
            let set = if fails { &mut failed } else { &mut done };
            assert!(
                set.insert(file.file.clone()),
                "{} is planned twice",
                file.file
            );
            let written = self
                .ledger
                .adopt(SUBDIR, plan.number, vec![(file.file, outcome)]);
            assert_eq!(written.await.unwrap(), 1);
        }
        (done, failed)
    }
}

fn transfers(plan: &Plan) -> Vec<TaskFile> {
    let template = Template {
        registry: "r.test/ns".into(),
        channel: "c".into(),
        subdir: SUBDIR.into(),
        source: "https://c.test/linux-64/".parse().unwrap(),
        allow_unverified: false,
        annotations: std::collections::BTreeMap::new(),
    };
    let tasks = plan.tasks(&plan.work, &template).unwrap();
    let files = tasks.into_iter().flat_map(|planned| planned.task.files);
    files
        .filter(|file| file.action == Action::Transfer)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_planned_and_done_is_not_planned_again(world in world()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new(&world);
            let first = bench.plan(false).await;
            prop_assert_eq!(first.totals.files, transfers(&first).len() as u64);
            let (done, failed) = bench.execute(&first, world.failures).await;
            prop_assert_eq!(first.totals.files, (done.len() + failed.len()) as u64);

            let second = bench.plan(false).await;
            prop_assert_eq!(second.work.len(), 0, "nothing is to do");
            prop_assert_eq!(second.totals.files, 0);
            prop_assert_eq!(second.totals.held, done.len() as u64);
            prop_assert_eq!(second.totals.resting, failed.len() as u64);

            let insisting = bench.plan(true).await;
            let again: BTreeSet<String> =
                transfers(&insisting).into_iter().map(|file| file.file).collect();
            prop_assert_eq!(&again, &failed, "exactly what failed is tried again");
            bench.execute(&insisting, 0).await;
            let last = bench.plan(true).await;
            prop_assert_eq!(last.work.len(), 0);
            prop_assert_eq!(last.totals.held, (done.len() + failed.len()) as u64);
            Ok(())
        })?;
    }
}
