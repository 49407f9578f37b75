//! Files whose records have no sha256: with an md5 they are mirrored and said to be weakly verified, without any hash
//! only where `--allow-unverified` says so.

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::Listing;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Finished, Home};

use crate::support::{BAD, GOOD, assert_cause, assert_overcome, run, stage};

const ALLOW: &str = "--allow-unverified";

/// [`BAD`] is listed in this way.
async fn listed(listing: Listing) -> Stage {
    let mut stage = stage().await;
    stage.channel.relist(BAD, listing).unwrap();
    stage
}

async fn allowed(stage: &Stage) -> Finished {
    stage.run().arg(ALLOW).run().await
}

/// What the published index says is the sha256 of [`BAD`].
fn published_sha256(stage: &Stage) -> Option<String> {
    let record = stage.record("linux-64", BAD)?;
    Some(record["sha256"].as_str().unwrap_or("none").to_owned())
}

/// A run without the option has nothing to do, and the file stays where it is.
async fn assert_stays(stage: &Stage, home: &Home) {
    let (downloads, sha256) = (stage.downloads_of(BAD), published_sha256(stage));
    assert_eq!(sha256.as_ref(), Some(&stage.channel.file(BAD).sha256));
    stage.run_in(home).run().await.assert_code(0);
    assert_eq!(stage.downloads_of(BAD), downloads);
    assert_eq!(published_sha256(stage), sha256);
    stage.assert_complete();
}

#[tokio::test]
async fn a_file_without_a_hash_is_mirrored_once_the_user_allows_it_and_stays() {
    let stage = listed(Listing::indexed().unhashed()).await;
    let (finished, report) = run(&stage, 3).await;
    finished.assert_code(1);
    let entry = report.entry(BAD);
    assert_cause(&entry, &[BAD, "neither sha256 nor md5", ALLOW]);
    assert!(finished.stderr.contains(ALLOW), "{}", finished.to_text());
    assert_eq!(stage.downloads_of(BAD), 0);
    assert_eq!(published_sha256(&stage), None);
    for file in GOOD {
        assert_eq!(report.entry(file)["outcome"], "done");
    }

    // At once, without an hour of rest.
    let finished = allowed(&stage).await;
    finished.assert_code(0);
    assert!(
        finished.stderr.contains("mirrored as it came") && finished.stderr.contains(BAD),
        "{}",
        finished.to_text()
    );
    assert_eq!(stage.downloads_of(BAD), 1);
    assert_stays(&stage, &stage.home).await;
    assert_eq!(stage.downloads_of(BAD), 1);
}

#[tokio::test]
async fn such_a_file_is_known_again_by_a_ledger_that_starts_anew() {
    let stage = listed(Listing::indexed().unhashed()).await;
    allowed(&stage).await.assert_code(0);
    assert_stays(&stage, &Home::new()).await;
}

#[tokio::test]
async fn a_refusal_stays_one_as_long_as_nobody_allows_the_file() {
    let stage = listed(Listing::indexed().unhashed()).await;
    for _ in 0..2 {
        let (finished, report) = run(&stage, 3).await;
        finished.assert_code(1);
        assert_cause(&report.entry(BAD), &[ALLOW]);
    }
    assert_eq!(stage.downloads_of(BAD), 0);
}

#[tokio::test]
async fn a_size_is_checked_even_where_files_are_taken_as_they_come() {
    for fault in [Fault::Short { length: 4_000 }, Fault::TooLong { extra: 1 }] {
        let stage = listed(Listing::indexed().unhashed()).await;
        stage.source.fault(BAD, fault, Times::Always);
        let report = Report::in_home(&stage.home);
        let run = stage.run().args([ALLOW, "--attempts", "1", "--report"]);
        run.arg(report.path()).run().await.assert_code(1);
        let size = stage.channel.file(BAD).size.to_string();
        assert_cause(&report.entry(BAD), &[BAD, "its record says", &size]);
        assert_eq!(published_sha256(&stage), None);
        stage.assert_publications_passed();
    }
}

#[tokio::test]
async fn a_record_that_gains_its_hash_is_compared_with_it() {
    let mut stage = listed(Listing::indexed().unhashed()).await;
    allowed(&stage).await.assert_code(0);
    for listing in [Listing::indexed().md5_only(), Listing::indexed()] {
        stage.channel.relist(BAD, listing).unwrap();
        assert_stays(&stage, &stage.home).await;
    }
    assert_eq!(stage.downloads_of(BAD), 1);

    // Of the same size, so that only the hash can tell.
    let mut stage = listed(Listing::indexed().unhashed()).await;
    stage
        .source
        .fault(BAD, Fault::Flipped { at: 4_000 }, Times::First(1));
    // A byte of the payload: the package can still be read.
    allowed(&stage).await.assert_code(0);
    assert_ne!(
        published_sha256(&stage),
        Some(stage.channel.file(BAD).sha256.clone())
    );
    stage.channel.relist(BAD, Listing::indexed()).unwrap();
    assert_overcome(&stage).await;
    assert_eq!(stage.downloads_of(BAD), 2);
}

#[tokio::test]
async fn a_file_without_a_hash_that_has_another_size_is_transferred_again() {
    let mut stage = listed(Listing::indexed().unhashed()).await;
    allowed(&stage).await.assert_code(0);
    let before = stage.channel.file(BAD).size;
    // Made again it may happen to be as large.
    while stage.channel.replace(BAD).unwrap().size == before {}

    let (finished, report) = run(&stage, 3).await;
    finished.assert_code(1);
    assert_cause(&report.entry(BAD), &[ALLOW]);
    assert_eq!(published_sha256(&stage), None, "it is not what is held");

    allowed(&stage).await.assert_code(0);
    assert_eq!(stage.downloads_of(BAD), 2);
    stage.assert_complete();
}

#[tokio::test]
async fn work_that_was_finished_before_a_kill_is_found_by_its_size() {
    let stage = listed(Listing::indexed().unhashed()).await;
    let run = stage.run().args([ALLOW, "--workers", "1"]);
    run.kill_at_nth("after-manifest", 1)
        .run()
        .await
        .assert_killed();
    assert_eq!(stage.downloads_of(BAD), 1);
    allowed(&stage).await.assert_code(0);
    stage.assert_complete();
    assert_eq!(stage.downloads_of(BAD), 1);
}

#[tokio::test]
async fn a_file_with_only_an_md5_is_verified_by_it_and_said_to_be_weakly_verified() {
    let stage = listed(Listing::indexed().md5_only()).await;
    let (finished, _) = run(&stage, 1).await;
    finished.assert_code(0);
    assert!(
        finished.stderr.contains("only an md5") && finished.stderr.contains(BAD),
        "{}",
        finished.to_text()
    );
    assert_stays(&stage, &stage.home).await;

    let stage = listed(Listing::indexed().md5_only()).await;
    stage.source.fault(BAD, Fault::WrongBytes, Times::Always);
    let (finished, report) = run(&stage, 1).await;
    finished.assert_code(1);
    let md5 = stage.channel.file(BAD).md5.clone();
    assert_cause(&report.entry(BAD), &["md5 is", "its record says", &md5]);
    assert_eq!(published_sha256(&stage), None);
}

#[tokio::test]
async fn a_file_of_which_neither_hash_nor_size_is_said_is_mirrored_once() {
    let mut stage = stage().await;
    let listing = Listing::indexed().unhashed().field("size", "null");
    let spec = PackageSpec::new("sizeless", "1.0", "0");
    stage.channel.add(spec, listing).unwrap();
    allowed(&stage).await.assert_code(0);
    stage.assert_complete();
    stage.run().run().await.assert_code(0);
    assert_eq!(stage.downloads_of("sizeless-1.0-0.conda"), 1);
    stage.assert_complete();
}
