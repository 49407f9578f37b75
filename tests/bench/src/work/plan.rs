//! Plans: how long it takes to read an index, and how much memory.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use mirror_kit::channel::synthetic_repodata;
use rattler_conda_types::{Channel, ChannelConfig};
use rattler_repodata_gateway::sparse::{PackageFormatSelection, SparseRepoData};

use super::Found;
use crate::bench::{Bench, megabytes};
use crate::measure::{Measured, Process};
use crate::report::{Row, Target};
use crate::stats::{Spread, in_turn};
use crate::svg::{Plot, Series};

/// Records, and how they are written.
const FULL: [(u64, &str); 3] = [
    (10_000, "10,000"),
    (100_000, "100,000"),
    (1_000_000, "1,000,000"),
];
const QUICK: [(u64, &str); 2] = [(1_000, "1,000"), (10_000, "10,000")];
/// Anonymous memory that a plan may take, in megabytes.
const MEMORY: f64 = 100.0;
/// Higher ones take minutes to make, and unpack no slower.
const LEVEL: i32 = 9;
/// What the name of the hidden command is that measures the baseline.
pub(crate) const SPARSE: &str = "sparse";

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let mut found = Found::default();
    let sizes: &[(u64, &str)] = if bench.quick { &QUICK } else { &FULL };
    let mut lines = [
        Series::new("plan from repodata.json", Vec::new()),
        Series::new("plan from repodata.json.zst", Vec::new()),
        Series::new("rattler's sparse index", Vec::new()),
    ];
    for (count, words) in sizes {
        let is_largest = *count == sizes[sizes.len() - 1].0;
        for (packed, what) in [(false, "repodata.json"), (true, "repodata.json.zst")] {
            let dir = bench.in_memory()?;
            let index = make(dir.path(), *count, packed, bench.quick).await?;
            let rounds = rounds(bench, &dir.path().join("channel"), &index).await?;
            let pairs: Vec<(f64, f64)> = rounds
                .iter()
                .map(|(ours, bare)| (ours.wall.as_secs_f64(), bare.wall.as_secs_f64()))
                .collect();
            lines[usize::from(packed)]
                .points
                .push((*count as f64, Spread::of(pairs.iter().map(|p| p.0)).median));
            if !packed {
                lines[2]
                    .points
                    .push((*count as f64, Spread::of(pairs.iter().map(|p| p.1)).median));
            }
            let work = format!(
                "plan {words} records ({:.0} MB {what})",
                megabytes(fs::metadata(&index)?.len())
            );
            let mut row = Row::compared(&work, "s", &pairs);
            if is_largest {
                row = row.target(Target::RatioAtMost(2.5)).note(match packed {
                    false => "`mirror --dry-run` of a folder; beside it rattler's SparseRepoData made of the same file, a process as well",
                    true => "beside it the same file unpacked to disk, then SparseRepoData made of that",
                });
            }
            found.rows.push(row);
            let anonymous = rounds.iter().map(|(ours, _)| megabytes(ours.anonymous));
            let memory = Row::alone(format!("{work}: anonymous memory"), "MB", anonymous);
            found.rows.push(if is_largest {
                memory.target(Target::AtMost(MEMORY))
            } else {
                memory
            });
        }
    }
    found.plots.push(Plot {
        name: "plan",
        title: "Time of a plan".to_owned(),
        axes: ("records in the index", "seconds"),
        series: lines.into(),
    });
    Ok(found)
}

/// Makes `<dir>/channel` with one index, plain or packed, and gives its path.
async fn make(dir: &Path, records: u64, packed: bool, quick: bool) -> Result<PathBuf> {
    let subdir = dir.join("channel/linux-64");
    tokio::task::spawn_blocking(move || {
        fs::create_dir_all(&subdir)?;
        let plain = subdir.join("repodata.json");
        synthetic_repodata(&plain, records)?;
        if !packed {
            return anyhow::Ok(plain);
        }
        let path = subdir.join("repodata.json.zst");
        let level = if quick { 1 } else { LEVEL };
        let mut encoder = zstd::Encoder::new(File::create(&path)?, level)?;
        encoder.set_pledged_src_size(Some(fs::metadata(&plain)?.len()))?;
        encoder.include_contentsize(true)?;
        io::copy(&mut File::open(&plain)?, &mut encoder)?;
        encoder.finish()?;
        fs::remove_file(&plain)?;
        Ok(path)
    })
    .await?
}

async fn rounds(bench: &Bench, channel: &Path, index: &Path) -> Result<Vec<(Measured, Measured)>> {
    let this = std::env::current_exe()?;
    let ours = async || {
        let home = bench.home()?;
        let planning = Process::new(&bench.program, home.path())
            .args(["mirror", "--dry-run", "--subdir", "linux-64", "--channel"])
            .args([channel]);
        let planned = planning.run().await?;
        ensure!(
            planned.stdout.contains("linux-64"),
            "no plan: {}",
            planned.stdout
        );
        Ok(planned)
    };
    let bare = async || {
        let home = bench.home()?;
        Process::new(&this, home.path())
            .args([SPARSE.as_ref(), index.as_os_str()])
            .run()
            .await
    };
    in_turn(bench.rounds(), ours, bare).await
}

/// The baseline, in a process of its own: rattler's sparse index of the file.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn sparse(index: &Path) -> Result<()> {
    let config = ChannelConfig::default_with_root_dir(std::env::current_dir()?);
    let channel = Channel::from_str("bench", &config)?;
    let unpacked = tempfile::NamedTempFile::new()?;
    let plain = match index
        .extension()
        .is_some_and(|extension| extension == "zst")
    {
        false => index,
        true => {
            let mut out = io::BufWriter::with_capacity(1 << 20, unpacked.as_file());
            zstd::stream::copy_decode(File::open(index)?, &mut out)?;
            io::Write::flush(&mut out)?;
            unpacked.path()
        }
    };
    let sparse = SparseRepoData::from_file(channel, "linux-64", plain, None);
    let sparse = sparse.with_context(|| format!("index {}", index.display()))?;
    ensure!(
        sparse.record_count(PackageFormatSelection::All) > 0,
        "{} lists nothing",
        index.display()
    );
    Ok(())
}
