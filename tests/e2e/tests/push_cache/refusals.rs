//! What is not pushed, and says why, while the rest is.

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::{Anonymous, Auth, Options};
use mirror_kit::process::Home;

use crate::support::{Cache, assert_exact, file, files, indexed, named, own, sha256};

#[tokio::test]
async fn what_is_no_package_or_says_otherwise_than_its_name_is_refused_and_the_rest_is_pushed() {
    let stage = Stage::registry(named(&[])).await;
    let cache = Cache::of([own("good")]);
    let folder = cache.folder("linux-64");
    std::fs::write(folder.join(file("noise")), b"no archive").unwrap();
    std::fs::write(folder.join("short.conda"), b"no name").unwrap();
    std::fs::write(folder.join("notes.txt"), b"not looked at").unwrap();
    let made = own("other").write(&folder).unwrap();
    std::fs::rename(folder.join(&made.file_name), folder.join(file("renamed"))).unwrap();
    own("abroad").subdir("osx-64").write(&folder).unwrap();
    let before = cache.seen();
    let report = Report::in_home(&stage.home);
    let run = cache.push_to(&stage, &stage.home);
    let finished = run.arg("--report").arg(report.path()).run().await;
    finished.assert_code(1);
    assert_eq!(indexed(&stage), files(["good"]));
    for (file, cause) in [
        (file("noise"), "not a readable conda package"),
        ("short.conda".to_owned(), "short.conda"),
        (file("renamed"), "info/index.json says `other`"),
        (file("abroad"), "info/index.json says `osx-64`"),
    ] {
        let entry = report.entry(&file);
        assert_eq!(entry["outcome"], "failed", "{entry}");
        assert!(entry["cause"].as_str().unwrap().contains(cause), "{entry}");
    }
    assert_eq!(report.entry(&file("good"))["outcome"], "done");
    assert_eq!(report.read()["files"].as_array().unwrap().len(), 5);
    assert_eq!(cache.seen(), before);
    assert_exact(&stage);
}

#[tokio::test]
async fn a_namesake_of_the_channels_is_refused_unless_it_is_forced_and_then_it_stays() {
    let stage = Stage::registry(named(&["shared", "theirs"])).await;
    stage.run().run().await.assert_code(0);
    let theirs = sha256(&stage, &file("shared"));
    let cache = Cache::of([own("ours")]);
    let ours = cache.add(own("shared").edition(2));
    // The very file of the channel is no clash and is not ours to keep.
    cache.add(own("theirs"));
    let refused = cache.push_to(&stage, &stage.home).run().await;
    refused.assert_code(1);
    assert!(refused.stderr.contains("--force"), "{}", refused.to_text());
    assert_eq!(sha256(&stage, &file("shared")), theirs);
    assert_eq!(indexed(&stage), files(["shared", "theirs", "ours"]));

    let forced = cache
        .push_to(&stage, &stage.home)
        .arg("--force")
        .run()
        .await;
    forced.assert_code(0);
    assert_eq!(sha256(&stage, &file("shared")), Some(ours.sha256.clone()));
    for home in [&stage.home, &Home::new()] {
        stage.run_in(home).run().await.assert_code(0);
        assert_eq!(sha256(&stage, &file("shared")), Some(ours.sha256.clone()));
    }
    assert_exact(&stage);
    assert_eq!(
        stage.downloads_of(&file("shared")),
        1,
        "by the first mirror"
    );
}

#[tokio::test]
async fn without_a_login_it_becomes_a_dry_run_and_says_so() {
    let readable = Auth::Basic {
        user: ("robot".to_owned(), "secret".to_owned()),
        anonymous: Anonymous::Pull,
    };
    for auth in [Auth::basic("robot", "secret"), readable] {
        let options = Options {
            auth,
            ..Options::default()
        };
        let stage = Stage::registry_with(options, named(&[])).await;
        let cache = Cache::of([own("tool")]);
        let finished = cache.push_to(&stage, &stage.home).run().await;
        finished.assert_code(2);
        for part in ["wants a login", "ORAS_USER", "nothing was downloaded"] {
            let said = finished.stderr.contains(part);
            assert!(said, "no {part}: {}", finished.to_text());
        }
        let planned = finished.stdout.contains("Would be pushing to ");
        assert!(planned, "{}", finished.to_text());
        let run = cache.push_to(&stage, &stage.home);
        let run = run.env("ORAS_USER", "robot").env("ORAS_PASS", "secret");
        run.run().await.assert_code(0);
        assert_eq!(indexed(&stage), files(["tool"]));
    }
}
