//! Files whose records have no hash: refused, unless the task allows them.

use mirror_kit::fake_registry::FakeRegistry;
use mirror_kit::fake_registry::Kind::{ManifestGet, ManifestPut};
use mirror_kit::package::{Format, MadePackage, PackageSpec};
use mirror_ledger::{FailureKind, FileOutcome};
use mirror_queue::{Action, Task, TaskQueue as _};

use crate::bench::{Bench, PLAN};

/// A task for these files, the first of which has no hash in its record.
fn task(bench: &Bench, plan: u64, files: &[&MadePackage], allowed: bool) -> Task {
    let mut task = bench.task(plan, files);
    task.files[0].sha256 = None;
    task.allow_unverified = allowed;
    task
}

async fn work(bench: &Bench, task: Task) {
    bench.queue.publish(task).await.unwrap();
    bench.work_off(1).await;
}

fn zlib() -> PackageSpec {
    PackageSpec::new("zlib", "1.3.1", "h0_1")
}

#[tokio::test]
async fn a_file_without_a_hash_is_refused_unread_and_the_option_named() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&zlib());
    work(&bench, task(&bench, PLAN, &[&zlib], false)).await;
    let failure = bench.failure(&zlib).await;
    assert_eq!(failure.kind, FailureKind::Refused);
    let cause = failure.cause.as_str();
    for part in [
        &*zlib.file_name,
        "neither sha256 nor md5",
        "--allow-unverified",
    ] {
        assert!(cause.contains(part), "{cause}");
    }
    assert_eq!(bench.activity.downloaded(), 0);
    assert_eq!(bench.manifest(&zlib).await, None);
}

#[tokio::test]
async fn where_it_is_allowed_the_file_is_done_with_the_hashes_that_were_computed() {
    for size_is_said in [true, false] {
        let bench = Bench::with_folder();
        let zlib = bench.make(&zlib());
        let mut task = task(&bench, PLAN, &[&zlib], true);
        if !size_is_said {
            task.files[0].size = None;
        }
        work(&bench, task).await;
        assert!(bench.holds(&zlib).await);
        assert!(bench.is_done(&zlib).await);
        let Some(FileOutcome::Done { md5: Some(md5), .. }) = bench.outcome(&zlib).await else {
            panic!("a record that gains an md5 could not be compared");
        };
        assert_eq!(hex::encode(md5), zlib.md5);
    }
}

#[tokio::test]
async fn a_size_that_is_not_the_records_fails_even_where_files_are_taken_as_they_come() {
    for (said, why) in [(-1, "longer than"), (1, "its record says")] {
        let bench = Bench::with_folder();
        let zlib = bench.make(&zlib());
        let mut task = task(&bench, PLAN, &[&zlib], true);
        task.files[0].size = zlib.size.checked_add_signed(said);
        work(&bench, task).await;
        let failure = bench.failure(&zlib).await;
        assert_eq!(failure.kind, FailureKind::Retry);
        assert!(failure.cause.as_str().contains(why), "{:?}", failure.cause);
        assert_eq!(bench.manifest(&zlib).await, None);
    }
}

#[tokio::test]
async fn a_record_with_a_hash_is_verified_whatever_is_allowed() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&zlib());
    let mut task = task(&bench, PLAN, &[&zlib], true);
    task.files[0].sha256 = Some([7; 32]);
    work(&bench, task).await;
    assert_eq!(bench.failure(&zlib).await.kind, FailureKind::Retry);
    assert_eq!(bench.manifest(&zlib).await, None);
}

#[tokio::test]
async fn a_file_larger_than_the_spool_whose_size_nobody_said_names_the_option() {
    let bench = Bench::with_folder();
    let large = bench.make(
        &PackageSpec::new("large", "1", "0").payload(2 << 20, mirror_kit::package::Fill::Random),
    );
    let mut task = bench.task(PLAN, &[&large]);
    task.files[0].size = None;
    bench.queue.publish(task).await.unwrap();
    bench.work_off_with_spool(1 << 20).await;
    let failure = bench.failure(&large).await;
    assert_eq!(failure.kind, FailureKind::Permanent);
    // It would be downloaded in every run otherwise.
    for part in [
        &*large.file_name,
        "1048576",
        "--spool-size",
        "--retry-failed",
    ] {
        assert!(failure.cause.as_str().contains(part), "{:?}", failure.cause);
    }
}

#[tokio::test]
async fn what_an_earlier_try_brought_is_found_by_its_size_and_not_fetched_again() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&zlib());
    work(&bench, task(&bench, PLAN, &[&zlib], true)).await;
    let mut again = task(&bench, PLAN + 1, &[&zlib], true);
    again.probe = true;
    work(&bench, again).await;
    assert!(bench.is_done(&zlib).await);
    assert_eq!(fake.log().count(ManifestPut), 1);
    assert_eq!(bench.activity.downloaded(), zlib.size);

    // Not allowed, what the tag holds counts for nothing: who knows what it is?
    fake.log().clear();
    let mut refused = task(&bench, PLAN + 2, &[&zlib], false);
    refused.probe = true;
    work(&bench, refused).await;
    assert_eq!(fake.log().total(), 0, "there is nothing to ask");
    assert_eq!(bench.failure(&zlib).await.kind, FailureKind::Refused);
}

#[tokio::test]
async fn a_refused_file_beside_one_to_keep_is_looked_for_with_it() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let tar_bz2 = bench.make(&zlib().format(Format::TarBz2));
    bench.publish(PLAN, &[&tar_bz2]).await;
    bench.work_off(1).await;
    fake.log().clear();
    let conda = bench.make(&zlib());
    let mut both = task(&bench, PLAN + 1, &[&conda, &tar_bz2], false);
    both.files[1].action = Action::Keep;
    work(&bench, both).await;
    assert_eq!(fake.log().count(ManifestGet), 1);
    assert_eq!(bench.failure(&conda).await.kind, FailureKind::Refused);
    assert!(bench.is_done(&tar_bz2).await);
}

#[tokio::test]
async fn a_held_file_without_a_hash_stays_beside_a_new_format_though_nothing_is_allowed() {
    let bench = Bench::with_folder();
    let conda = bench.make(&zlib());
    work(&bench, task(&bench, PLAN, &[&conda], true)).await;
    let tar_bz2 = bench.make(&zlib().format(Format::TarBz2));
    let mut both = task(&bench, PLAN + 1, &[&conda, &tar_bz2], false);
    both.files[0].action = Action::Keep;
    work(&bench, both).await;
    for file in [&conda, &tar_bz2] {
        assert!(bench.holds(file).await, "{}", file.file_name);
        assert!(bench.is_done(file).await, "{}", file.file_name);
    }
    assert_eq!(bench.activity.downloaded(), conda.size + tar_bz2.size);
}

#[tokio::test]
async fn a_refused_format_does_not_keep_the_other_from_being_mirrored() {
    let bench = Bench::with_folder();
    let conda = bench.make(&zlib());
    let tar_bz2 = bench.make(&zlib().format(Format::TarBz2));
    work(&bench, task(&bench, PLAN, &[&conda, &tar_bz2], false)).await;
    assert_eq!(bench.failure(&conda).await.kind, FailureKind::Refused);
    assert!(bench.is_done(&tar_bz2).await);
    assert!(!bench.holds(&conda).await);
}

#[tokio::test]
async fn what_an_earlier_run_brought_stays_held_though_nothing_is_allowed_if_the_tag_still_has_it()
{
    for (size_is_said, is_known) in [(true, true), (false, true), (true, false), (false, false)] {
        let bench = Bench::with_folder();
        let zlib = bench.make(&zlib());
        work(&bench, task(&bench, PLAN, &[&zlib], true)).await;
        // The ledger's outcome is of a plan that is not believed any more: the planner asks for the file again.
        let mut again = task(&bench, PLAN + 1, &[&zlib], false);
        let brought = crate::bench::file(&zlib).sha256;
        again.probe = true;
        again.files[0].known_sha256 = if is_known { brought } else { Some([7; 32]) };
        if !size_is_said {
            again.files[0].size = None;
        }
        work(&bench, again).await;
        match is_known {
            true => assert!(bench.is_done(&zlib).await),
            false => assert_eq!(bench.failure(&zlib).await.kind, FailureKind::Refused),
        }
        assert_eq!(bench.activity.downloaded(), zlib.size, "it came once");
    }
}
