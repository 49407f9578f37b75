//! Folders that cannot be written, which is said before anything is transferred. Folders that permissions protect are
//! in `folder`.

use mirror_e2e::stage::Stage;
use mirror_kit::channel::bulk;
use mirror_kit::process::Disks;

use crate::support::{InFolder, assert_says, folder_in, shown};

const READ_ONLY: &str = "Read-only file system";

#[tokio::test]
async fn a_read_only_folder_is_named_with_its_option_before_anything_is_transferred() {
    let stage = Stage::registry(|dir| bulk(dir, 2, 3_000)).await;
    let disks = Disks::new();
    let folder = folder_in(&stage.home, "sealed");
    disks.read_only(&folder);
    for (option, path, advice) in [
        (
            "--state",
            folder.clone(),
            &["mount it writable", "--state"][..],
        ),
        (
            "--state",
            folder.join("deeper"),
            &["mount it writable", "--state"],
        ),
        ("--spool", folder.clone(), &["mount it writable", "--spool"]),
        ("--report", folder.join("report.json"), &["--report"]),
    ] {
        let finished = stage.run().arg(option).arg(&path).on(&disks).run().await;
        finished.assert_code(2);
        let (sealed, mut parts) = (shown(&folder), advice.to_vec());
        parts.extend([READ_ONLY, &sealed]);
        assert_says(&finished, &parts);
        assert_eq!(stage.fake().log().writes(), 0, "{option}: {}", stage.log());
        assert!(stage.downloads().is_empty(), "{option}");
    }
    stage.run().on(&disks).run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn a_read_only_destination_is_refused_and_what_it_has_stays() {
    let here = InFolder::of(3, 3_000);
    let first = here.run().args(["--package", "bulk-00000"]);
    first.run().await.assert_code(0);
    here.disks.read_only(&here.mirror());
    let finished = here.run().run().await;
    finished.assert_code(2);
    assert_says(
        &finished,
        &[&shown(&here.mirror()), READ_ONLY, "mount it writable"],
    );
    assert_eq!(here.assert_exact(), Some(1));
}

#[tokio::test]
async fn a_subdir_that_is_read_only_in_the_destination_fails_its_files_and_keeps_its_index() {
    let here = InFolder::of(6, 3_000);
    let first = here.run().args(["--package", "bulk-00000"]);
    first.run().await.assert_code(0);
    // One subdir's folder is another mount than the root, where whether it can be written is tried.
    here.disks.read_only(&here.mirror().join("many/linux-64"));
    let finished = here.run().run().await;
    finished.assert_code(1);
    assert_says(
        &finished,
        &[&shown(&here.mirror()), READ_ONLY, "mount it writable"],
    );
    assert_eq!(here.assert_exact(), Some(1));
}
