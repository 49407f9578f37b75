//! The made channels are read by the parser that real clients use.
#![allow(clippy::unwrap_used)]

mod ready_made;

use std::collections::BTreeSet;

use rattler_conda_types::{
    MatchSpec, Matches, PackageRecord, ParseMatchSpecOptions, RepoData, RepodataRevision,
    package::DistArchiveIdentifier,
};

use super::*;
use crate::package::{Fill, digests_of};

fn repodata(channel: &Channel, subdir: &str) -> RepoData {
    RepoData::from_path(channel.dir.join(subdir).join("repodata.json")).unwrap()
}

fn key(file_name: &str) -> DistArchiveIdentifier {
    file_name.parse().unwrap()
}

fn raw(channel: &Channel, file: &str) -> String {
    fs::read_to_string(channel.dir.join(file)).unwrap()
}

/// Every record that a client could choose, in both subdirs.
fn records(channel: &Channel) -> Vec<PackageRecord> {
    let of = |subdir: &str| {
        let repodata = repodata(channel, subdir);
        let revision3: Vec<_> = repodata
            .v3
            .records()
            .map(|(_, record)| record.clone())
            .collect();
        repodata
            .packages
            .into_values()
            .chain(repodata.conda_packages.into_values())
            .chain(revision3)
            .collect::<Vec<_>>()
    };
    channel.subdirs().flat_map(of).collect()
}

fn assert_installable(channel: &Channel, name: &str) {
    let records = records(channel);
    let options = ParseMatchSpecOptions::lenient();
    let mut wanted = vec![name.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(text) = wanted.pop() {
        let spec = MatchSpec::from_str(&text, options).unwrap();
        let found = records.iter().filter(|record| spec.matches(*record)).max();
        let found = found.unwrap_or_else(|| panic!("nothing provides {text}"));
        if seen.insert(text) {
            wanted.extend(found.depends.iter().cloned());
        }
    }
    assert!(
        seen.len() > 5,
        "{name} needs too little to show anything: {seen:?}"
    );
}

#[test]
fn the_standard_channel_is_what_its_table_says() {
    let dir = tempfile::tempdir().unwrap();
    let channel = standard(dir.path().join("std")).unwrap();
    assert_eq!(channel.name, "std");
    assert_eq!(
        channel.subdirs().collect::<Vec<_>>(),
        ["linux-64", "noarch"]
    );

    let linux = repodata(&channel, "linux-64");
    let noarch = repodata(&channel, "noarch");
    let listed = linux.packages.len() + linux.conda_packages.len() + linux.v3.records().count();
    assert_eq!(
        listed + noarch.packages.len() + noarch.conda_packages.len() + noarch.v3.whl.len(),
        20
    );
    assert_eq!(channel.files.iter().filter(|file| file.indexed).count(), 20);
    assert_eq!(linux.v3.records().count(), 2);
    assert_eq!(
        linux.info.as_ref().unwrap().repodata_revisions[&RepodataRevision::V3].n_packages,
        Some(2)
    );
    assert_eq!(linux.base_url(), Some("./"));

    let left_out = |file: &&MadeFile| !file.representable;
    let left_out: Vec<_> = channel
        .files
        .iter()
        .filter(left_out)
        .map(|file| &file.file_name[..5])
        .collect();
    assert_eq!(left_out, ["Capit", "longt", "tilde", "pleas"]);

    let legacy = &linux.packages[&key("legacy-2.0-0.tar.bz2")];
    assert_eq!((legacy.sha256, legacy.md5.is_some()), (None, true));
    let from_packages =
        RepoData::from_path(channel.dir.join("linux-64/repodata_from_packages.json")).unwrap();
    let yanked = key("yanked-0.9-h0_0.conda");
    assert!(
        from_packages.conda_packages.contains_key(&yanked)
            && !linux.conda_packages.contains_key(&yanked)
    );
    assert!(raw(&channel, "linux-64/repodata.json").contains(r#""x-number":1.50e+2"#));
    assert!(raw(&channel, "linux-64/repodata.json").starts_with(r#"{"about-this-channel":"#));
}

#[test]
fn the_standard_channel_and_the_sample_can_be_installed_from() {
    let dir = tempfile::tempdir().unwrap();
    assert_installable(&standard(dir.path().join("standard")).unwrap(), "app");
    assert_installable(&sample(dir.path().join("sample")).unwrap(), "afternoon");
}

#[test]
fn what_a_channel_says_of_its_files_is_what_lies_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let channel = standard(dir.path().join("std")).unwrap();
    for file in &channel.files {
        let digests = digests_of(file.bytes().unwrap().as_slice()).unwrap();
        assert_eq!(
            (&digests.sha256, &digests.md5, digests.size),
            (&file.sha256, &file.md5, file.size)
        );
    }
    for subdir in channel.subdirs() {
        let folder = channel.dir.join(subdir);
        let packed = fs::read(folder.join("repodata.json.zst")).unwrap();
        assert_eq!(
            zstd::decode_all(packed.as_slice()).unwrap(),
            fs::read(folder.join("repodata.json")).unwrap()
        );
        let in_folder = fs::read_dir(&folder).unwrap().count();
        let made = channel
            .files
            .iter()
            .filter(|file| file.subdir == subdir)
            .count();
        let indexes = if subdir == "noarch" { 2 } else { 3 };
        assert_eq!(in_folder, made + indexes, "no scratch file stays behind");
    }
}

#[test]
fn replacing_a_file_changes_its_bytes_and_its_record_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut channel = standard(dir.path().join("std")).unwrap();
    let before = channel.files.clone();
    let name = "zlib-1.3.1-h0_1.conda";
    let replaced = channel.replace(name).unwrap().clone();
    assert_eq!(
        replaced.sha256,
        digests_of(replaced.bytes().unwrap().as_slice())
            .unwrap()
            .sha256
    );
    let listed = repodata(&channel, "linux-64").conda_packages[&key(name)]
        .sha256
        .unwrap();
    assert_eq!(hex::encode(listed), replaced.sha256);
    for (before, after) in before.iter().zip(&channel.files) {
        assert_eq!(before.sha256 == after.sha256, before.file_name != name);
        assert_eq!(after.bytes().unwrap().len() as u64, after.size);
    }
    assert_ne!(
        channel.replace(name).unwrap().sha256,
        replaced.sha256,
        "a second replacement is new again"
    );
}

#[test]
fn files_can_be_added_yanked_and_removed_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut channel = ChannelBuilder::new(dir.path().join("c"))
        .subdir("linux-64")
        .build()
        .unwrap();
    let spec = PackageSpec::new("late", "1.0", "0").payload(100, Fill::Random);
    let name = channel
        .add(spec, Listing::indexed())
        .unwrap()
        .file_name
        .clone();
    assert_eq!(repodata(&channel, "linux-64").conda_packages.len(), 1);

    channel.relist(&name, Listing::yanked()).unwrap();
    assert_eq!(repodata(&channel, "linux-64").conda_packages.len(), 0);
    assert!(raw(&channel, "linux-64/repodata_from_packages.json").contains(&name));
    assert!(!channel.file(&name).indexed);

    let removed = channel.remove(&name).unwrap();
    assert!(!removed.path.exists());
    assert!(!raw(&channel, "linux-64/repodata_from_packages.json").contains(&name));
}

#[test]
fn a_record_can_lack_every_hash_or_state_a_wrong_one() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = format!("\"{}\"", "0".repeat(64));
    let channel = ChannelBuilder::new(dir.path().join("c"))
        .package_as(
            PackageSpec::new("bare", "1.0", "0"),
            Listing::indexed().unhashed(),
        )
        .package_as(
            PackageSpec::new("liar", "1.0", "0"),
            Listing::indexed().field("sha256", &wrong),
        )
        .build()
        .unwrap();
    let linux = repodata(&channel, "linux-64");
    let bare = &linux.conda_packages[&key("bare-1.0-0.conda")];
    assert_eq!((bare.sha256, bare.md5), (None, None));
    let liar = &linux.conda_packages[&key("liar-1.0-0.conda")];
    assert_eq!(hex::encode(liar.sha256.unwrap()), "0".repeat(64));
}

#[test]
fn raw_fields_that_are_not_json_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spec = PackageSpec::new("bad", "1.0", "0");
    let builder = ChannelBuilder::new(dir.path().join("c"))
        .package_as(spec, Listing::indexed().field("x", "{"));
    assert!(builder.build().is_err());
}
