//! A whole mirror at each vendor's kind of registry. docs/REGISTRIES.md has the table.

use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::{Fault, Kind, Options, Unmade, Vendor, When};

use crate::support::{PASSWORD, USER, some_packages};

fn at(vendor: Vendor) -> Options {
    vendor.options(USER, PASSWORD)
}

#[tokio::test]
async fn a_channel_is_mirrored_to_each_and_mirrored_again_for_nothing() {
    for vendor in Vendor::MIRRORS {
        println!("{vendor:?}");
        let stage = Stage::registry_with(at(vendor), some_packages).await;
        let run = || {
            let run = stage.run().env("ORAS_USER", USER);
            run.env("ORAS_PASS", PASSWORD)
        };
        run().run().await.assert_code(0);
        stage.assert_complete();
        assert_eq!(
            stage.fake().open_uploads(),
            0,
            "{vendor:?}: {}",
            stage.log()
        );
        let written = stage.written();
        run().run().await.assert_code(0);
        assert_eq!(stage.written(), written, "{vendor:?}");
    }
}

#[tokio::test]
async fn the_third_put_that_dies_after_half_its_body_is_made_up_for_at_each() {
    for vendor in Vendor::MIRRORS {
        let stage = Stage::registry_with(at(vendor), some_packages).await;
        // A manifest's PUT, where blobs go in one POST.
        let puts = When::kinds([Kind::UploadPut, Kind::ManifestPut]).nth(3);
        stage.fake().fault(puts, Fault::cut_after(150));
        let run = stage.run().env("ORAS_USER", USER);
        run.env("ORAS_PASS", PASSWORD).run().await.assert_code(0);
        stage.assert_complete();
    }
}

#[tokio::test]
async fn zot_gets_each_blob_in_one_request() {
    let stage = Stage::registry_with(at(Vendor::Zot), |dir| {
        mirror_kit::channel::bulk_of(dir, 1, 10, 3_000)
    })
    .await;
    let run = stage.run().env("ORAS_USER", USER);
    run.env("ORAS_PASS", PASSWORD).run().await.assert_code(0);
    stage.assert_complete();
    let repository = format!("{}/bulk-00000", stage.subdir("linux-64"));
    let puts = stage.fake().log().count_in(&repository, Kind::UploadPut);
    // While one probes, the first blobs beside it go the other way.
    assert!(puts < 10, "{puts} of some 31 blobs took two requests");
}

#[tokio::test]
async fn docker_hub_is_refused_before_any_transfer() {
    let stage = Stage::registry_with(at(Vendor::DockerHub), some_packages).await;
    let run = stage.run().env("ORAS_USER", USER);
    let finished = run.env("ORAS_PASS", PASSWORD).run().await;
    finished.assert_code(2);
    assert_eq!(stage.downloads().len(), 0, "{}", finished.to_text());
    assert_eq!(stage.fake().repositories(), Vec::<String>::new());

    // By its own name nobody is asked at all.
    let named = mirror_e2e::mirror::mirror(&stage.home, stage.source.url(), "docker.io/me");
    stage.source.forget_requests();
    let finished = named.run().await;
    finished.assert_code(2);
    for part in ["Docker Hub", "namespace/name only"] {
        assert!(finished.stderr.contains(part), "{}", finished.to_text());
    }
    assert_eq!(stage.source.requests().len(), 0);
}

#[tokio::test]
async fn ecr_without_its_repositories_is_told_with_the_command_that_makes_them() {
    let options = Options {
        unmade: Unmade::Refused,
        ..at(Vendor::Ecr)
    };
    let stage = Stage::registry_with(options, some_packages).await;
    let login =
        |run: mirror_kit::process::Run| run.env("ORAS_USER", USER).env("ORAS_PASS", PASSWORD);
    let finished = login(stage.run()).run().await;
    finished.assert_code(2);
    for part in [
        "404",
        "NAME_UNKNOWN",
        "aws ecr create-repository --repository-name ns/",
        "create-repository-creation-template --prefix ns",
    ] {
        assert!(
            finished.stderr.contains(part),
            "no {part}: {}",
            finished.to_text()
        );
    }
    assert_eq!(stage.downloads().len(), 0);

    for subdir in ["linux-64", "noarch"] {
        let made = |name: &str| format!("{}/{name}", stage.subdir(subdir));
        let names = [
            "repodata.json",
            "repodata.json/shards",
            "zlib",
            "large",
            "zzz_mutex",
        ];
        for name in names {
            stage.fake().make_repository(&made(name));
        }
    }
    login(stage.run()).run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn large_blobs_go_in_pieces_where_the_user_says_so() {
    let stage = Stage::registry_with(at(Vendor::Ghcr), some_packages).await;
    let run = stage
        .run()
        .env("ORAS_USER", USER)
        .env("ORAS_PASS", PASSWORD);
    run.args(["--max-chunk", "4MiB"]).run().await.assert_code(0);
    stage.assert_complete();
    let patches = stage.fake().log().count(Kind::UploadPatch);
    assert_eq!(patches, 2, "{}", stage.log());
}
