use mirror_worker::presence::TransferNow;

use super::super::seen::{Bytes, Files, ParkedHost, Published, Queue, Workers};
use super::*;

fn subdir(name: &str, state: State) -> Subdir {
    Subdir {
        subdir: name.to_owned(),
        state,
        paused: false,
        run: Some("process 7 on there".to_owned()),
        started_ms: Some(1),
        ended_ms: None,
        files: Files {
            planned: 1200,
            done: 340,
            failed: 2,
            not_held: 0,
            left: 858,
        },
        bytes: Bytes {
            planned: 3_000_000_000,
            done: 1_000_000_000,
        },
        files_per_second: 3.0,
        bytes_per_second: 2_500_000.0,
        seconds_left: Some(800),
        published: Some(Published {
            at_ms: 1_000,
            records: 9,
        }),
    }
}

fn seen() -> Seen {
    let mut finished = subdir("noarch", State::Finished);
    finished.run = None;
    finished.files = Files::default();
    finished.bytes = Bytes::default();
    (finished.bytes_per_second, finished.seconds_left) = (0.0, None);
    finished.published = None;
    let worker = |name: &str, waits: Option<&str>, files: &[&str]| WorkerSeen {
        name: name.to_owned(),
        slots: 16,
        in_flight: files.len(),
        done: 170,
        failed: 1,
        waits: waits.map(str::to_owned),
        files: files
            .iter()
            .map(|file| TransferNow {
                file: (*file).to_owned(),
                done: 1_000,
                total: Some(2_000),
            })
            .collect(),
    };
    Seen {
        at_ms: 61_000,
        name: None,
        channel: "conda-forge".to_owned(),
        registry: "ghcr.io/org".to_owned(),
        subdirs: vec![subdir("linux-64", State::Running), finished],
        workers: Some(Workers {
            count: 15,
            listed: vec![
                worker("a-1", None, &["zlib-1-0.conda", "b", "c"]),
                worker("bb-22", Some("no\nbroker"), &[]),
                worker("c", None, &[]),
            ],
        }),
        parked: vec![ParkedHost {
            host: "ghcr.io".to_owned(),
            left_ms: 90_000,
            why: "429:\n slow down".to_owned(),
        }],
        queue: Some(Queue {
            broker: "amqp://b:5672".to_owned(),
            name: "conda-oci".to_owned(),
            ready: Some(500),
            delayed: Some(3),
            error: None,
        }),
    }
}

#[test]
fn all_that_was_seen_stands_in_columns() {
    let expected = "\
conda-forge to ghcr.io/org
  subdir    state     planned  done  failed  left  bytes             rate      time left  published
  linux-64  running   1200     340   2       858   1.0 GB of 3.0 GB  2.5 MB/s  13m 20s    1m 0s ago
  noarch    finished  0        0     0       0     0 B of 0 B        -         -          -
run: process 7 on there
failed: 2 files; `conda-oci failures` says why
queue: 500 ready in conda-oci at amqp://b:5672, 3 waiting for another try
parked: ghcr.io for 1m 30s: 429: slow down
workers: 15
  a-1    3 of 16  170 done  1 failed  zlib-1-0.conda 1.0 kB of 2.0 kB, b 1.0 kB of 2.0 kB
  bb-22  0 of 16  170 done  1 failed  waits: no broker
  c      0 of 16  170 done  1 failed  idle
  and 12 more workers
";
    let text = whole(&seen());
    assert_eq!(text, expected, "{text}");
}

#[test]
fn one_line_has_the_sums() {
    let mut seen = seen();
    assert_eq!(
        line(&seen),
        "conda-forge to ghcr.io/org: 342/1200 files, 1.0 GB/3.0 GB, 2 failed, 2.5 MB/s, about 13m 20s left, \
         15 workers, ghcr.io parked\n"
    );
    seen.subdirs[1].paused = true;
    seen.subdirs[0].state = State::Cancelled;
    assert!(line(&seen).contains("15 workers, cancelled, paused, "));
}

#[test]
fn what_cannot_be_seen_and_what_is_missing_is_said() {
    let mut seen = seen();
    if let Some(queue) = &mut seen.queue {
        queue.error = Some("nobody answers".to_owned());
    }
    seen.subdirs.clear();
    seen.workers = Some(Workers {
        count: 0,
        listed: Vec::new(),
    });
    let text = whole(&seen);
    for part in [
        "nothing is remembered of it",
        "conda-oci at amqp://b:5672 cannot be seen: nobody answers",
        "workers: none; start some",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}
