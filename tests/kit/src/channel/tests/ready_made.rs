//! The bulk, the synthetic and the sample channel.

use super::*;

#[test]
fn bulk_channels_have_the_builds_the_names_and_about_the_size_that_were_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let channel = bulk_of(dir.path().join("bulk"), 3, 10, 5_000).unwrap();
    let names: BTreeSet<_> = channel
        .files
        .iter()
        .map(|file| file.record["name"].to_string())
        .collect();
    assert_eq!((channel.files.len(), names.len()), (10, 3));
    assert!(
        channel
            .files
            .iter()
            .all(|file| (4_000..6_000).contains(&file.size)),
        "{:?}",
        channel.files[0].size
    );
    assert_eq!(repodata(&channel, "linux-64").conda_packages.len(), 10);
    assert_eq!(repodata(&channel, "noarch").conda_packages.len(), 0);
}

#[test]
fn synthetic_repodata_parses_and_is_sorted_and_of_real_weight() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repodata.json");
    synthetic_repodata(&path, 5_000).unwrap();
    let bytes = path.metadata().unwrap().len();
    assert!(
        (430..530).contains(&(bytes / 5_000)),
        "{} bytes a record",
        bytes / 5_000
    );
    let parsed = RepoData::from_path(&path).unwrap();
    assert_eq!(parsed.packages.len() + parsed.conda_packages.len(), 5_000);
    let names: BTreeSet<_> = parsed
        .conda_packages
        .values()
        .map(|record| record.name.as_normalized())
        .collect();
    assert_eq!(names.len(), 5_000_usize.div_ceil(33));
    for key in parsed.packages.keys().chain(parsed.conda_packages.keys()) {
        let name = key.to_file_name();
        assert!(
            oci_name(&name).is_some(),
            "{name} has a place in a registry"
        );
    }
    let text = fs::read_to_string(&path).unwrap();
    let files: Vec<&str> = text
        .split('"')
        .filter(|word| word.ends_with(".conda") && *word != "packages.conda")
        .collect();
    assert!(files.len() > 3_000 && files.is_sorted());
}

#[test]
fn the_sample_in_the_repository_is_what_its_maker_makes() {
    let dir = tempfile::tempdir().unwrap();
    let made = sample(dir.path().join("channel")).unwrap();
    let kept = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/channel"
    ));
    let tree = |root: &Path| {
        let of = |subdir: &str| {
            let entries = fs::read_dir(root.join(subdir))
                .unwrap()
                .map(|entry| entry.unwrap().path());
            entries
                .map(|path| path.strip_prefix(root).unwrap().to_owned())
                .collect::<BTreeSet<_>>()
        };
        [of("linux-64"), of("noarch")]
    };
    assert_eq!(tree(&made.dir), tree(kept));
    for path in tree(kept).into_iter().flatten() {
        let same = fs::read(made.dir.join(&path)).unwrap() == fs::read(kept.join(&path)).unwrap();
        assert!(
            same,
            "{} differs; run `cargo run -p mirror-kit --example make-sample-channel`",
            path.display()
        );
    }
    assert!(
        made.files
            .iter()
            .all(|file| file.indexed && file.representable)
    );
    assert!(made.files.iter().map(|file| file.size).sum::<u64>() < 300_000);
}
