//! One machine, one ledger file.

use mirror_e2e::stage::Stage;
use mirror_kit::channel::bulk;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::process::Run;

use crate::support::{assert_described, assert_says, file_of, json, subdir};

async fn stage() -> Stage {
    Stage::registry(|dir| bulk(dir, 4, 3_000)).await
}

fn command(stage: &Stage, name: &str) -> Run {
    stage.command_in(name, &stage.home)
}

/// A stage whose run failed for one file, which can be had now.
async fn failed() -> (Stage, String) {
    let stage = stage().await;
    let file = file_of(&stage.channel);
    stage.source.fault(&file, Fault::status(404), Times::Always);
    stage.run().run().await.assert_code(1);
    stage.source.heal();
    (stage, file)
}

#[tokio::test]
async fn a_failure_is_listed_put_back_and_brought_by_the_command_that_is_printed() {
    let (stage, file) = failed().await;
    let listed = json(command(&stage, "failures")).await;
    assert_eq!(listed["count"], 1, "{listed:#}");
    let failure = &listed["failures"][0];
    assert_eq!(failure["file"], file.as_str(), "{listed:#}");
    assert_eq!(failure["subdir"], "linux-64");
    assert_says(failure["cause"].as_str().unwrap(), &["404"]);
    let printed = command(&stage, "failures").run().await;
    printed.assert_code(0);
    assert_says(&printed.stdout, &["linux-64/", &file, "404", " tr"]);

    // It rests: nothing at the channel changed.
    let downloads = stage.downloads_of(&file);
    stage.run().run().await.assert_code(1);
    assert_eq!(stage.downloads_of(&file), downloads, "it was not due");

    let written = stage.written();
    let retried = command(&stage, "retry").arg(&file).run().await;
    retried.assert_code(0);
    let next = format!(
        "conda-oci mirror --channel {} --registry {}/ns --subdir linux-64",
        stage.source.url(),
        stage.fake().url()
    );
    assert_says(&retried.stdout, &["1 file put back", &next]);
    assert_eq!(stage.written(), written, "it transfers nothing");
    assert_eq!(json(command(&stage, "failures")).await["count"], 0);

    let mut words = next.split(' ').skip(1);
    let run = Run::in_home(&stage.home).args(words.by_ref());
    run.run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn everything_that_failed_is_put_back_at_once() {
    let (stage, file) = failed().await;
    let retried = json(command(&stage, "retry").arg("--all")).await;
    assert_eq!(retried["put_back"], 1, "{retried:#}");
    let again = json(command(&stage, "retry").arg("--all")).await;
    assert_eq!(again["put_back"], 0, "{again:#}");
    stage.run().run().await.assert_code(0);
    assert!(stage.held(&stage.view()).contains(&file));
    stage.assert_complete();
}

#[tokio::test]
async fn a_file_that_has_not_failed_is_refused_with_those_that_were_probably_meant() {
    let (stage, file) = failed().await;
    let done = stage.channel.files.iter().map(|file| &file.file_name);
    let done = done.filter(|name| **name != file).min().unwrap();
    let near = file.replace(".conda", ".tar.bz2");
    for (written, parts) in [
        (near.as_str(), &["has not failed", file.as_str()][..]),
        (done, &["has not failed", "it is mirrored in linux-64"]),
        ("nothing-like-it", &["has not failed", "conda-oci failures"]),
        (&format!("noarch/{file}"), &["has not failed"]),
    ] {
        // Nor is the other put back.
        let run = command(&stage, "retry").args([&file, written]);
        let refused = run.run().await;
        refused.assert_code(2);
        assert_says(&refused.stderr, parts);
        assert_says(&refused.stderr, &["Nothing is put back"]);
    }
    assert_eq!(json(command(&stage, "failures")).await["count"], 1);
    command(&stage, "retry").run().await.assert_code(2);
}

#[tokio::test]
async fn the_status_of_a_finished_run_has_its_numbers() {
    let (stage, _) = failed().await;
    let run = || Run::in_home(&stage.home).arg("status");
    let to = format!("{}/ns", stage.fake().url());
    // Of every subdir that the ledger knows.
    let whole = || run().args(["-c", &stage.source.url(), "--registry", &to]);
    let status = json(whole()).await;
    assert_described(&status);
    let linux = subdir(&status, "linux-64");
    assert_eq!(linux["state"], "finished", "{status:#}");
    let files = &linux["files"];
    for (key, number) in [("planned", 4), ("done", 3), ("failed", 1), ("left", 0)] {
        assert_eq!(files[key], number, "{key} of {status:#}");
    }
    assert!(
        linux["bytes"]["done"].as_u64().unwrap() > 8_000,
        "{status:#}"
    );
    assert_eq!(linux["published"]["records"], 3, "{status:#}");
    assert_eq!(subdir(&status, "noarch")["state"], "finished", "{status:#}");
    assert!(status["workers"].is_null() && status["queue"].is_null());

    let text = whole().run().await;
    text.assert_code(0);
    let parts = ["linux-64  finished", "conda-oci failures", "published"];
    assert_says(&text.stdout, &parts);
}

#[tokio::test]
async fn a_run_at_work_is_named_to_whoever_wants_to_look_or_steer() {
    let stage = stage().await;
    let file = file_of(&stage.channel);
    let stall = Fault::Stall { after: 100 };
    stage.source.fault(&file, stall, Times::First(1));
    let running = stage.run().spawn();
    stage.source.held().await;
    let process = format!("process {}", running.id().unwrap());
    for name in ["status", "failures", "pause", "resume", "cancel"] {
        let refused = command(&stage, name).run().await;
        refused.assert_code(2);
        assert_says(&refused.stderr, &[&process, "conda-oci mirror of"]);
    }
    stage.source.release();
    running.wait().await.assert_code(0);
    // Without a run there is nobody to obey, and a later run must not be paused by what nobody sees.
    let refused = command(&stage, "pause").run().await;
    refused.assert_code(2);
    assert_says(&refused.stderr, &["Ctrl-C"]);
}

#[tokio::test]
async fn what_was_never_mirrored_is_said_so_and_leaves_no_ledger() {
    let stage = stage().await;
    for name in ["status", "failures"] {
        let refused = command(&stage, name).run().await;
        refused.assert_code(2);
        assert_says(&refused.stderr, &["nothing is remembered of", "--state"]);
    }
    assert!(!stage.home.path().join("state").exists());
    let unnamed = Run::in_home(&stage.home).arg("status").run().await;
    unnamed.assert_code(2);
    assert_says(&unnamed.stderr, &["which mirror?", "--config"]);
}

#[tokio::test]
async fn the_mirrors_of_a_file_are_looked_at_one_after_another() {
    let (stage, _) = failed().await;
    let (from, to) = (stage.source.url(), stage.fake().url());
    let config = format!(
        "[[mirror]]\nname = \"ours\"\nchannel = \"{from}\"\nregistry = \"{to}/ns\"\n\
         [[mirror]]\nname = \"other\"\nchannel = \"{from}\"\nregistry = \"{to}/other\"\n"
    );
    std::fs::write(stage.home.path().join("mirrors.toml"), config).unwrap();
    let run = || Run::in_home(&stage.home).args(["status", "--config", "mirrors.toml"]);
    let one = json(run().args(["--only", "ours"])).await;
    assert_described(&one);
    assert_eq!(one["name"], "ours");
    let both = run().run().await;
    both.assert_code(2);
    assert_says(&both.stdout, &["ours (", "finished"]);
    assert_says(&both.stderr, &["nothing is remembered of other ("]);
}
