//! Indexes with what `push-cache` added merged into them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use mirror_channel::name::FileName;
use mirror_channel::repodata::{self, Limits, Record, Section, empty};
use tempfile::NamedTempFile;

use super::Additions;

/// A channel's index with the additions, and the files that it lists with other content: ours win.
pub(crate) async fn merge_upstream(
    index: &Path,
    additions: &Arc<Additions>,
    dir: &Path,
) -> anyhow::Result<(NamedTempFile, BTreeSet<String>)> {
    let index = File::open(index).context("open the channel's index")?;
    let (additions, dir) = (Arc::clone(additions), dir.to_owned());
    let merging = tokio::task::spawn_blocking(move || {
        let mut outdone = BTreeSet::new();
        let mut see = |file: &FileName, json: &[u8]| {
            if additions.records.contains_key(file) && !additions.has(file, sha256(file, json)) {
                outdone.insert(file.as_str().to_owned());
            }
            false
        };
        let merged = merge(index, &additions, &dir, &mut see)?;
        anyhow::Ok((merged, outdone))
    });
    merging.await?.context("merge what push-cache added")
}

/// The published index, or an empty one of `subdir`, with the additions and without what was taken out of them.
pub(crate) async fn merge_published(
    index: Option<&Path>,
    subdir: &str,
    additions: &Arc<Additions>,
    dir: &Path,
) -> anyhow::Result<NamedTempFile> {
    let index: Box<dyn Read + Send> = match index {
        Some(index) => Box::new(File::open(index).context("open the published index")?),
        None => Box::new(Cursor::new(empty(subdir))),
    };
    let (additions, dir) = (Arc::clone(additions), dir.to_owned());
    let merging = tokio::task::spawn_blocking(move || {
        let mut took_out = |file: &FileName, json: &[u8]| {
            additions.removed.contains_key(file) && additions.took_out(file, sha256(file, json))
        };
        merge(index, &additions, &dir, &mut took_out)
    });
    merging.await?.context("merge what push-cache added")
}

fn merge(
    mut index: impl Read,
    additions: &Additions,
    dir: &Path,
    without: &mut dyn FnMut(&FileName, &[u8]) -> bool,
) -> anyhow::Result<NamedTempFile> {
    let merged = NamedTempFile::new_in(dir)?;
    let records = additions.records.iter();
    let added = records
        .map(|(file, local)| (file, local.json.as_bytes()))
        .collect();
    let mut output = BufWriter::with_capacity(256 << 10, merged.as_file());
    repodata::merge(&mut index, &mut output, Limits::default(), &added, without)?;
    drop(output);
    Ok(merged)
}

/// What a record says of its file. It is asked of few, so it is read again.
fn sha256(file: &FileName, json: &[u8]) -> Option<[u8; 32]> {
    // By its name: where it stands does not matter here.
    let section = match file.archive() {
        mirror_channel::name::ArchiveType::Conda => Section::PackagesConda,
        mirror_channel::name::ArchiveType::TarBz2 => Section::Packages,
    };
    Record::parse(section, file.as_str(), json).ok()?.sha256
}
