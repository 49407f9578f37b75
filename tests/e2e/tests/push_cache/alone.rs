//! A channel that mirrors nobody.

use std::collections::BTreeSet;

use mirror_e2e::stage::Stage;
use mirror_kit::judge::Judge;
use mirror_kit::package::Format::TarBz2;
use mirror_kit::process::Home;
use mirror_kit::servers::RealRegistry;
use serde_json::Value;

use crate::support::{CHANNEL, Cache, assert_exact, file, files, indexed, named, own};

#[tokio::test]
async fn own_builds_are_installed_from_a_registry_that_was_empty() {
    let registry = RealRegistry::start().await.unwrap();
    let cache = Cache::of([
        own("tool").depends("lib >=1"),
        own("lib"),
        own("lib").format(TarBz2),
    ]);
    let noarch = own("data").noarch().write(&cache.folder("noarch")).unwrap();
    let before = cache.seen();
    let finished = cache.push(&Home::new(), registry.destination()).run().await;
    finished.assert_code(0);
    assert_eq!(cache.seen(), before, "the folder is only read");

    let judge = Judge::new(registry.addr()).await.unwrap();
    let path = format!("{}/{CHANNEL}", registry.namespace());
    for sharded in [false, true] {
        let specs = ["tool", "data"];
        let solved = judge
            .solve(&path, "linux-64", &specs, sharded)
            .await
            .unwrap();
        let names: BTreeSet<String> = solved.iter().map(|r| r.identifier.to_file_name()).collect();
        let mut wanted = files(["tool", "lib"]);
        wanted.insert(noarch.file_name.clone());
        assert_eq!(names, wanted, "sharded: {sharded}");
        for record in &solved {
            let bytes = judge.download_by_digest(record).await.unwrap();
            let file = record.identifier.to_file_name();
            let folder = cache.folder(&record.package_record.subdir);
            assert!(
                bytes == std::fs::read(folder.join(&file)).unwrap(),
                "{file}"
            );
        }
    }
}

#[tokio::test]
async fn the_record_is_the_one_an_indexer_writes() {
    let stage = Stage::registry(named(&[])).await;
    let cache = Cache(tempfile::tempdir().unwrap());
    let spec = own("tool")
        .without_subdir_in_index()
        .timestamp(1_700_000_000_123);
    let spec = spec
        .index_field("arch", Value::from("x86_64"))
        .index_field("x", Value::from(1));
    let made = cache.add(spec);
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    let mut expected = made.record.clone();
    // `conda index` leaves these out.
    for field in ["arch", "platform"] {
        assert!(expected.remove(field).is_some(), "{field}");
    }
    expected.insert("subdir".to_owned(), Value::from("linux-64"));
    let record = stage.record("linux-64", &made.file_name).unwrap();
    assert_eq!(record, Value::Object(expected));
    assert_exact(&stage);
    // The same, where it is kept.
    let repository = format!("{}/repodata.json", stage.subdir("linux-64"));
    let (_, local) = stage
        .view()
        .layer(&repository, "local", mirror_e2e::stored::REPODATA)
        .unwrap();
    let local: Value = serde_json::from_slice(&local).unwrap();
    assert_eq!(local["packages.conda"][&made.file_name], record);
}

#[tokio::test]
async fn noarch_has_an_index_though_nothing_is_in_it_and_a_second_run_writes_nothing() {
    let stage = Stage::registry(named(&[])).await;
    let cache = Cache::of([own("tool")]);
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["tool"]));
    assert!(stage.view().index(&stage.subdir("noarch")).is_some());
    for home in [&stage.home, &Home::new()] {
        stage.fake().log().clear();
        cache.push_to(&stage, home).run().await.assert_code(0);
        assert_eq!(stage.fake().log().writes(), 0, "{}", stage.log());
    }
    // All of it again: looked for, and found.
    let finished = cache
        .push_to(&stage, &stage.home)
        .arg("--push-all")
        .run()
        .await;
    finished.assert_code(0);
    assert!(
        finished.stdout.contains("1 of 1 file"),
        "{}",
        finished.to_text()
    );
    assert_eq!(indexed(&stage), files(["tool"]));
    // What was rebuilt is another build of one's own, and replaces it.
    cache.add(own("tool").edition(2));
    cache.add(own("more"));
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["tool", "more"]));
    assert_exact(&stage);
}

#[tokio::test]
async fn what_a_build_tool_leaves_is_found_and_only_what_is_asked_for_is_pushed() {
    let stage = Stage::registry(named(&[])).await;
    let cache = Cache(tempfile::tempdir().unwrap());
    let folder = cache.0.path().join("linux-64");
    std::fs::create_dir(&folder).unwrap();
    for name in ["libone", "libtwo", "tool"] {
        own(name).write(&folder).unwrap();
    }
    let run = cache.push_to(&stage, &stage.home).args(["-p", "lib*"]);
    run.run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["libone", "libtwo"]));
    let run = cache.push_to(&stage, &stage.home);
    let run = run.args(["-s", "osx-64"]).run().await;
    run.assert_code(2);
    assert!(run.stderr.contains("osx-64"), "{}", run.to_text());
}

#[tokio::test]
async fn a_dry_run_names_each_package_and_writes_nothing() {
    let stage = Stage::registry(named(&[])).await;
    let cache = Cache::of([own("tool"), own("lib")]);
    let finished = cache
        .push_to(&stage, &stage.home)
        .arg("--dry-run")
        .run()
        .await;
    finished.assert_code(0);
    for name in ["tool", "lib"] {
        let line = format!("{}/{name}:1.0-0: {}", stage.subdir("linux-64"), file(name));
        let said = finished.stdout.lines().find(|said| said.contains(&line));
        let said = said.unwrap_or_else(|| panic!("no {line}: {}", finished.to_text()));
        assert!(said.starts_with("Would be pushing to "), "{said}");
    }
    assert_eq!(stage.fake().log().writes(), 0, "{}", stage.log());
    assert_eq!(stage.view().repositories(), [] as [String; 0]);
}
