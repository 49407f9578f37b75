//! Everything that a channel lists, found and downloaded by the real client.

use std::collections::{BTreeMap, BTreeSet};

use mirror_kit::channel::Channel;
use mirror_kit::judge::{Form, Judge};
use rattler_conda_types::RepoDataRecord;

/// What tests mirror.
pub const SUBDIRS: [&str; 2] = ["linux-64", "noarch"];

fn file_of(record: &RepoDataRecord) -> (String, String) {
    (
        record.package_record.subdir.clone(),
        record.identifier.to_file_name(),
    )
}

/// Downloads every file that the channel lists, both ways, and compares all bytes; nothing else may be listed. `path` is
/// where clients look for the channel: its namespace and its name. `form`: which index is read, `true` for shards.
///
/// # Panics
/// If anything is missing, is too much or has other bytes.
pub async fn assert_all_is_downloaded(
    judge: &Judge,
    path: &str,
    channel: &Channel,
    form: impl Into<Form>,
) {
    let form = form.into();
    let names: BTreeSet<&str> = channel
        .mirrored()
        .map(|file| file.record["name"].as_str().expect("a record has a name"))
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let found = judge.query_both_formats(path, &SUBDIRS, &names, form);
    let found = found.await.expect("the client finds the channel");
    let mut records: BTreeMap<_, _> = found.iter().map(|r| (file_of(r), r)).collect();
    assert_eq!(records.len(), found.len(), "a file is listed twice");
    for file in channel.mirrored() {
        let key = (file.subdir.clone(), file.file_name.clone());
        let record = records
            .remove(&key)
            .unwrap_or_else(|| panic!("{key:?} is not listed ({form:?})"));
        let expected = file.bytes().expect("the channel's file can be read");
        let by_name = judge.download(record).await;
        assert!(
            by_name.expect("it can be downloaded") == expected,
            "{key:?}"
        );
        let by_digest = judge.download_by_digest(record).await;
        let by_digest = by_digest.expect("it can be downloaded by its digest");
        assert!(by_digest == expected, "{key:?} by digest");
    }
    assert_eq!(records.keys().collect::<Vec<_>>(), Vec::<&_>::new());
}
