//! `--registry oci:FOLDER`: a mirror without any registry, as one OCI image layout a repository.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use mirror_e2e::folder_view::view_of_folder;
use mirror_e2e::mirror::mirror;
use mirror_e2e::stored::{blob_in_folder, manifests_in_folder, manifests_in_registry};
use mirror_kit::channel::{Channel, Listing, bulk, bulk_of, standard};
use mirror_kit::fake_channel::{FakeChannel, Fault, Times};
use mirror_kit::fake_registry::{FakeRegistry, sha256_digest};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Finished, Home, Run, binary};
use mirror_kit::servers::skopeo;
use serde_json::Value;
use tempfile::TempDir;

fn oci(folder: &Path) -> String {
    format!("oci:{}", folder.display())
}

async fn mirror_standard(dir: &TempDir) -> (Channel, PathBuf) {
    let channel = standard(dir.path().join("standard")).unwrap();
    let folder = dir.path().join("mirror");
    let from = channel.dir.display().to_string();
    let run = mirror(&Home::new(), from, oci(&folder));
    run.run().await.assert_code(0);
    (channel, folder)
}

#[tokio::test]
async fn a_folder_holds_the_manifests_and_blobs_that_a_registry_would() {
    let dir = TempDir::new().unwrap();
    let (channel, folder) = mirror_standard(&dir).await;
    let registry = FakeRegistry::start();
    let from = channel.dir.display().to_string();
    let run = mirror(&Home::new(), from, format!("{}/ns", registry.url()));
    run.run().await.assert_code(0);
    assert_eq!(
        manifests_in_folder(&folder),
        manifests_in_registry(&registry, "ns")
    );
    let view = view_of_folder(&folder, "ns");
    for subdir in ["ns/standard/linux-64", "ns/standard/noarch"] {
        assert_eq!(view.index_breaches(subdir), Vec::<String>::new());
    }
    for repository in registry.repositories() {
        assert_eq!(view.blobs(&repository), registry.blobs(&repository));
    }
}

#[tokio::test]
async fn skopeo_reads_every_tag_it_can_name() {
    let dir = TempDir::new().unwrap();
    let (_, folder) = mirror_standard(&dir).await;
    let (mut read, mut escaped) = (0, 0);
    for (place, digest) in manifests_in_folder(&folder) {
        let (repository, tag) = place.rsplit_once(':').unwrap();
        // The grammar of the annotation, and so of skopeo, has no double underscore.
        if tag.contains("__") {
            escaped += 1;
            continue;
        }
        let reference = format!("{}:{tag}", oci(&folder.join(repository)));
        let manifest = skopeo::inspect_raw(&reference).await.unwrap();
        assert_eq!(sha256_digest(&manifest), digest, "{reference}");
        let stored = blob_in_folder(&folder, repository, &digest);
        assert!(manifest == stored, "{reference}");
        read += 1;
    }
    // The `!` and the `+` of two versions.
    assert_eq!(escaped, 2);
    assert!(read > 20, "only {read} tags");
}

/// What would change if a file were written: its inode, its size, its times.
fn files(root: &Path) -> BTreeMap<PathBuf, (u64, u64, i64, i64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                folders.push(path);
                continue;
            }
            let times = (
                meta.mtime(),
                meta.mtime_nsec(),
                meta.ctime(),
                meta.ctime_nsec(),
            );
            let is = (meta.ino(), meta.len(), times.0, times.1, times.2, times.3);
            found.insert(path, is);
        }
    }
    found
}

#[tokio::test]
async fn a_second_run_writes_nothing_with_its_ledger_or_without() {
    let dir = TempDir::new().unwrap();
    let channel = standard(dir.path().join("standard")).unwrap();
    let folder = dir.path().join("mirror");
    let (from, to) = (channel.dir.display().to_string(), oci(&folder));
    let home = Home::new();
    mirror(&home, &from, &to).run().await.assert_code(0);
    let before = files(&folder);
    assert!(before.len() > 100, "{}", before.len());

    mirror(&home, &from, &to).run().await.assert_code(0);
    assert_eq!(files(&folder), before, "with its ledger");
    mirror(&Home::new(), &from, &to).run().await.assert_code(0);
    assert_eq!(files(&folder), before, "with no ledger");
}

/// Starts both runs, and lets them go on only when each stands in the middle of a download.
async fn together(runs: [Run; 2], upstreams: [&FakeChannel; 2]) {
    for upstream in upstreams {
        upstream.fault(".conda", Fault::Stall { after: 100 }, Times::First(1));
    }
    let [first, second] = runs.map(Run::spawn);
    for upstream in upstreams {
        upstream.held().await;
    }
    for upstream in upstreams {
        upstream.release();
    }
    let (first, second): (Finished, Finished) = futures::join!(first.wait(), second.wait());
    first.assert_code(0);
    second.assert_code(0);
}

/// Everything of the channel, and nothing half written.
fn assert_complete(folder: &Path, channel: &Channel) {
    let view = view_of_folder(folder, "ns");
    for subdir in ["linux-64", "noarch"] {
        let path = format!("ns/{}/{subdir}", channel.name);
        assert_eq!(view.index_breaches(&path), Vec::<String>::new());
        let mirrored = channel.mirrored().filter(|file| file.subdir == subdir);
        let expected = mirrored.map(|file| file.file_name.clone()).collect();
        assert_eq!(view.index_files(&path), expected);
    }
    let left = files(folder).into_keys().filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(".tmp")
    });
    assert_eq!(left.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn two_channels_are_mirrored_into_one_folder_at_the_same_time() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("mirror");
    let one = bulk(dir.path().join("one"), 60, 3_000).unwrap();
    let two = bulk(dir.path().join("two"), 60, 3_000).unwrap();
    let (from_one, from_two) =
        futures::join!(FakeChannel::start(&one.dir), FakeChannel::start(&two.dir));
    let (from_one, from_two) = (from_one.unwrap(), from_two.unwrap());
    let home = Home::new();
    let runs = [&from_one, &from_two].map(|from| mirror(&home, from.url(), oci(&folder)));
    together(runs, [&from_one, &from_two]).await;
    assert_complete(&folder, &one);
    assert_complete(&folder, &two);
}

#[tokio::test]
async fn two_runs_that_know_nothing_of_each_other_fill_the_same_repositories_of_one_folder() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("mirror");
    // Thirty tags in each repository: both runs rewrite the same index.json again and again.
    let channel = bulk_of(dir.path().join("shared"), 2, 60, 3_000).unwrap();
    let (first, second) = futures::join!(
        FakeChannel::start(&channel.dir),
        FakeChannel::start(&channel.dir)
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    let runs = [&first, &second].map(|from| mirror(&Home::new(), from.url(), oci(&folder)));
    together(runs, [&first, &second]).await;
    assert_complete(&folder, &channel);
    let from = channel.dir.display().to_string();
    let alone = dir.path().join("alone");
    mirror(&Home::new(), from, oci(&alone))
        .run()
        .await
        .assert_code(0);
    assert_eq!(manifests_in_folder(&folder), manifests_in_folder(&alone));
}

/// One more tag for a manifest that is there, written as a neighbour would who holds the lock.
fn tag_as(repository: &Path, tag: &str) {
    let path = repository.join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut entry = index["manifests"][0].clone();
    entry["annotations"]["org.opencontainers.image.ref.name"] = tag.into();
    index["manifests"].as_array_mut().unwrap().push(entry);
    let written = repository.join("written-by-the-neighbour");
    fs::write(&written, index.to_string()).unwrap();
    fs::rename(&written, &path).unwrap();
}

#[tokio::test]
async fn a_run_waits_for_the_process_that_changes_an_index_and_keeps_its_tags() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("mirror");
    let mut channel = bulk(dir.path().join("shared"), 1, 3_000).unwrap();
    let from = channel.dir.display().to_string();
    let home = Home::new();
    let run = || mirror(&home, &from, oci(&folder));
    run().run().await.assert_code(0);
    let repository = folder.join("shared/linux-64/bulk-00000");
    let spec = PackageSpec::new("bulk-00000", "2.0", "0");
    channel.add(spec, Listing::indexed()).unwrap();

    let lock = File::options().write(true).open(repository.join(".lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    let mut running = run().arg("--debug").spawn();
    let waits = |_: &str, said: &str| said.contains("waiting for another process");
    running.until("to wait for the lock", waits).await;
    tag_as(&repository, "neighbour");
    lock.unlock().unwrap();
    running.wait().await.assert_code(0);
    let manifests = manifests_in_folder(&folder);
    for tag in ["neighbour", "1.0-h0_0", "2.0-0"] {
        let place = format!("shared/linux-64/bulk-00000:{tag}");
        assert!(manifests.contains_key(&place), "{manifests:#?}");
    }
}

/// The program as a user without privileges: root is stopped by no permissions otherwise.
fn without_privileges(run: impl FnOnce(Run) -> Run) -> Run {
    let home = Home::new();
    if fs::metadata(home.path()).unwrap().uid() != 0 {
        return run(Run::in_home(&home));
    }
    let setpriv = Run::in_home(&home).program("setpriv");
    run(setpriv
        .args(["--inh-caps=-all", "--bounding-set=-all", "--"])
        .arg(binary()))
}

fn mirror_args(from: &Path, to: &Path) -> [String; 5] {
    let from = from.display().to_string();
    [
        "mirror".into(),
        "--channel".into(),
        from,
        "--registry".into(),
        oci(to),
    ]
}

fn assert_refused(finished: &Finished, folder: &Path, problem: &str) {
    finished.assert_code(2);
    let said = &finished.stderr;
    let path = folder.display().to_string();
    let line = said
        .lines()
        .find(|line| line.contains(&path) && line.contains(problem));
    assert!(line.is_some(), "{}", finished.to_text());
    assert!(!said.contains("panicked"), "{}", finished.to_text());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_refused_with_its_name_and_what_to_do() {
    let dir = TempDir::new().unwrap();
    let channel = bulk(dir.path().join("small"), 1, 3_000).unwrap();
    let folder = dir.path().join("mirror");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    for folder in [folder.clone(), folder.join("deeper/still")] {
        let run = without_privileges(|run| run.args(mirror_args(&channel.dir, &folder)));
        assert_refused(&run.run().await, &folder, "give this user access");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let run = without_privileges(|run| run.args(mirror_args(&channel.dir, &folder)));
    run.run().await.assert_code(0);
}

#[tokio::test]
async fn a_file_in_the_way_is_refused_with_its_name_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let channel = bulk(dir.path().join("small"), 1, 3_000).unwrap();
    let (needed, move_it) = (
        "a file stands where a folder is needed",
        "move it out of the way",
    );
    let in_the_way = [
        // The folder itself, one above it, the channel in it, a subdir of that.
        ("itself", "itself", needed),
        ("above/mirror", "above", needed),
        ("inside", "inside/small", move_it),
        ("deep", "deep/small/linux-64", move_it),
    ];
    for (folder, file, problem) in in_the_way {
        let (folder, file) = (dir.path().join(folder), dir.path().join(file));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "mine").unwrap();
        let run = Run::new().args(mirror_args(&channel.dir, &folder));
        let finished = run.run().await;
        assert_refused(&finished, &file, problem);
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}
