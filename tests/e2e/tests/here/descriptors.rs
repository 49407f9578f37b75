//! Fewer file descriptors than the workers want.

use mirror_e2e::stage::Stage;
use mirror_kit::channel::bulk;
use mirror_kit::process::Finished;

use crate::support::InFolder;

/// From too few for anything to almost enough.
const LIMITS: [u32; 5] = [8, 14, 24, 40, 70];
/// Many workers, and one try each: what fails is said soon.
const MANY: [&str; 4] = ["--workers", "40", "--attempts", "1"];

/// Of these it is enough for one worker at least.
const ENOUGH: u32 = 64;

/// It completed with fewer workers, or it says at once what there was too little of.
fn assert_clear(finished: &Finished, limit: u32) {
    let said = &finished.stderr;
    assert!(
        !said.contains("panicked"),
        "{limit}: {}",
        finished.to_text()
    );
    match finished.code {
        Some(0) if limit >= ENOUGH => {
            let warned = said.contains("of 40 workers") && said.contains("ulimit -n");
            assert!(warned, "{limit}: {}", finished.to_text());
        }
        Some(2) if limit < ENOUGH => assert!(
            said.contains("oo many open files") || said.contains("ulimit -n"),
            "{limit}: {}",
            finished.to_text()
        ),
        _ => panic!("{limit}: {}", finished.to_text()),
    }
}

#[tokio::test]
async fn into_a_folder_too_few_publish_nothing_wrong_and_the_next_run_completes() {
    for limit in LIMITS {
        let here = InFolder::of(80, 3_000);
        let finished = here.run().args(MANY).open_files(limit).run().await;
        assert_clear(&finished, limit);
        here.assert_exact();
        here.assert_completes(here.run()).await;
    }
}

#[tokio::test]
async fn into_a_registry_too_few_publish_nothing_wrong_and_the_next_run_completes() {
    for limit in LIMITS {
        let stage = Stage::registry(|dir| bulk(dir, 80, 3_000)).await;
        let finished = stage.run().args(MANY).open_files(limit).run().await;
        assert_clear(&finished, limit);
        stage.assert_indexes_exact();
        stage.assert_publications_passed();
        let next = stage.run().arg("--retry-failed").run().await;
        next.assert_code(0);
        stage.assert_complete();
    }
}
