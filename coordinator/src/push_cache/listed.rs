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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mirror_oci::Digest;

    use super::*;
    use crate::local::Local;

    const FILE: &str = "a-1-0.conda";

    fn package() -> Package {
        Package {
            path: FILE.into(),
            file: FILE.parse().unwrap(),
            sha256: [1; 32],
            md5: [2; 16],
            size: 9,
        }
    }

    fn record(sha256: Option<u8>, md5: Option<u8>) -> Record {
        Record {
            file: FILE.parse().unwrap(),
            sha256: sha256.map(|byte| [byte; 32]),
            md5: md5.map(|byte| [byte; 16]),
            size: Some(9),
        }
    }

    fn added(sha256: u8) -> Additions {
        let local = Local {
            sha256: [sha256; 32],
            size: 9,
            json: String::new(),
        };
        let mut additions = Additions::default();
        additions.add(FILE.parse().unwrap(), local);
        additions
    }

    #[test]
    fn what_the_index_says_is_the_channels_unless_it_is_what_was_added() {
        let none = Additions::default();
        for (record, additions, expected) in [
            (None, &none, Listed::Not),
            (None, &added(1), Listed::Not),
            (Some(record(Some(1), None)), &none, Listed::Same),
            (Some(record(Some(7), None)), &none, Listed::Other),
            (Some(record(None, Some(2))), &none, Listed::Same),
            (Some(record(None, Some(7))), &none, Listed::Other),
            (Some(record(None, None)), &none, Listed::Other),
            (Some(record(Some(1), None)), &added(1), Listed::OwnSame),
            (Some(record(Some(7), None)), &added(7), Listed::OwnOther),
            (Some(record(Some(7), None)), &added(1), Listed::Other),
        ] {
            let said = listed(&package(), record.as_ref(), additions);
            assert_eq!(said, expected, "{record:?}");
        }
    }

    #[test]
    fn what_was_taken_out_and_is_still_listed_counts_as_gone() {
        let mut additions = added(1);
        additions.remove(&FILE.parse().unwrap());
        assert_eq!(
            additions.removed[&FILE.parse().unwrap()],
            Digest::from_sha256([1; 32])
        );
        let said = listed(&package(), Some(&record(Some(1), None)), &additions);
        assert_eq!(said, Listed::Not);
    }
}
