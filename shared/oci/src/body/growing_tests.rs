#![allow(clippy::unwrap_used)]
use std::io::Write as _;

use futures::{FutureExt as _, StreamExt as _};
use tempfile::NamedTempFile;

use super::*;

const LEN: u64 = WITHHELD + 100_000;

/// A file with its two ends; whoever writes it reaches what is written.
struct Made {
    file: NamedTempFile,
    content: Vec<u8>,
    growing: Growing,
}

fn made() -> (Growth, Made) {
    let file = NamedTempFile::new().unwrap();
    let (growth, growing) = growing(file.path(), LEN);
    let content = (0..LEN).map(|n| (n % 251) as u8).collect();
    let made = Made {
        file,
        content,
        growing,
    };
    (growth, made)
}

impl Made {
    /// Writes up to `end`.
    fn write(&mut self, growth: &Growth, end: u64) {
        let from = self.file.as_file().metadata().unwrap().len();
        let part = &self.content[from as usize..end as usize];
        self.file.write_all(part).unwrap();
        growth.reach(end);
    }
}

#[test]
fn the_whole_may_be_sent_only_when_somebody_vouches_for_it() {
    let stand = |written, vouched| Stand { written, vouched };
    assert_eq!(stand(10, false).sendable(LEN), 10);
    assert_eq!(stand(LEN, false).sendable(LEN), LEN - WITHHELD);
    assert_eq!(stand(LEN, true).sendable(LEN), LEN);
    for small in [1, WITHHELD] {
        assert_eq!(stand(small, false).sendable(small), 0, "of {small}");
    }
}

#[tokio::test]
async fn what_is_sent_follows_the_file_and_its_end_waits_for_the_verdict() {
    let (growth, mut made) = made();
    let mut stream = made.growing.stream().await.unwrap().boxed();
    let mut sent = Vec::new();
    for end in [40_000, 90_000, LEN] {
        made.write(&growth, end);
        while (sent.len() as u64) < end.min(LEN - WITHHELD) {
            sent.extend_from_slice(&stream.next().await.unwrap().unwrap());
        }
        assert!(stream.next().now_or_never().is_none(), "at {end}");
    }
    assert_eq!(sent.len() as u64, LEN - WITHHELD);
    growth.vouch();
    while let Some(chunk) = stream.next().await {
        sent.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(sent, made.content);
    // Opened anew it begins anew.
    let mut again = made.growing.stream().await.unwrap().boxed();
    let first = again.next().await.unwrap().unwrap();
    assert_eq!(made.content[..first.len()], first);
}

#[tokio::test]
async fn a_file_that_is_given_up_ends_what_is_sent_of_it_with_an_error() {
    let (growth, mut made) = made();
    let mut stream = made.growing.stream().await.unwrap().boxed();
    made.write(&growth, LEN);
    let mut sent = 0;
    while sent < LEN - WITHHELD {
        sent += stream.next().await.unwrap().unwrap().len() as u64;
    }
    drop(growth);
    stream.next().await.unwrap().unwrap_err();
    assert_eq!(sent, LEN - WITHHELD);
}

#[test]
fn a_thread_that_follows_a_file_reads_all_of_it_as_it_comes() {
    let (growth, mut made) = made();
    let mut follower = made.growing.follow().unwrap();
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        follower.read_to_end(&mut all).map(|_| all)
    });
    for end in [1, 70_000, LEN] {
        made.write(&growth, end);
    }
    // Its end needs no verdict.
    assert_eq!(reading.join().unwrap().unwrap(), made.content);
}

#[test]
fn a_thread_that_follows_a_file_is_woken_when_it_is_given_up() {
    let (growth, mut made) = made();
    let mut follower = made.growing.follow().unwrap();
    made.write(&growth, 10);
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        follower.read_to_end(&mut all)
    });
    drop(growth);
    reading.join().unwrap().unwrap_err();
}

#[test]
fn a_thread_that_is_behind_when_the_file_is_given_up_reads_no_more_of_it() {
    let (growth, mut made) = made();
    let mut follower = made.growing.follow().unwrap();
    made.write(&growth, LEN);
    let mut first = [0; 10];
    follower.read_exact(&mut first).unwrap();
    drop(growth);
    follower.read(&mut first).unwrap_err();
}

#[test]
fn a_thread_that_is_behind_when_the_file_is_vouched_for_reads_it_to_its_end() {
    let (growth, mut made) = made();
    let mut follower = made.growing.follow().unwrap();
    made.write(&growth, LEN);
    let mut first = [0; 10];
    follower.read_exact(&mut first).unwrap();
    growth.vouch();
    let mut rest = Vec::new();
    follower.read_to_end(&mut rest).unwrap();
    assert_eq!([&first, &*rest].concat(), made.content);
}
