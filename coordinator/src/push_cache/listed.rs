//! What the published index says of the files of a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mirror_channel::name::FileName;
use mirror_channel::repodata::{Limits, Record};
use mirror_ledger::Wanted;

use super::scan::Package;
use crate::local::Additions;
use crate::plan::Rows;

/// What lists a file of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// Nothing.
    Not,
    /// The channel, with this very content.
    Same,
    /// The channel, with other content.
    Other,
    /// An earlier `push-cache`, with this very content.
    OwnSame,
    /// An earlier `push-cache`, with other content.
    OwnOther,
}

/// Decides it from the published record of that name, if there is one, and what was added.
pub(super) fn listed(package: &Package, record: Option<&Record>, additions: &Additions) -> Listed {
    let own = additions.records.get(&package.file);
    let Some(record) = record else {
        // Added and not published yet: it is pushed as if it were new.
        return Listed::Not;
    };
    // Taken out, and the index does not know yet.
    if additions.took_out(&package.file, record.sha256) {
        return Listed::Not;
    }
    let is_own = own.is_some_and(|own| record.sha256 == Some(own.sha256));
    match (is_own, is_same(package, record)) {
        (true, true) => Listed::OwnSame,
        (true, false) => Listed::OwnOther,
        (false, true) => Listed::Same,
        (false, false) => Listed::Other,
    }
}

/// Whether a record means the very bytes of a package, as far as it says.
fn is_same(package: &Package, record: &Record) -> bool {
    let wanted = Wanted {
        sha256: record.sha256,
        md5: record.md5,
        size: record.size,
    };
    let size = wanted.size.is_none_or(|size| size == package.size);
    match (wanted.sha256, wanted.md5) {
        (Some(sha256), _) => sha256 == package.sha256,
        (None, Some(md5)) => md5 == package.md5 && size,
        (None, None) => false,
    }
}

/// The records of an index for the files that are asked about.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn records(
    index: &Path,
    files: &BTreeSet<&FileName>,
) -> anyhow::Result<BTreeMap<FileName, Record>> {
    let mut found = BTreeMap::new();
    let mut rows = Rows::of(index, Limits::default(), |_, _| ())?;
    while let Some(batch) = rows.next().await {
        for (record, ()) in batch?.into_iter().filter_map(|row| row.record.ok()) {
            if files.contains(&record.file) {
                found.insert(record.file.clone(), record);
            }
        }
    }
    Ok(found)
}
