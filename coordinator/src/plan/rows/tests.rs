#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use mirror_channel::repodata::read_at;
use tempfile::NamedTempFile;

use super::*;

/// More records than are handed on together, whether they are counted or weighed.
const MANY: usize = 2 * BATCH + 700;

fn key(number: usize) -> String {
    format!("p{number:05}-1-0.conda")
}

/// A record; a few hundred bytes long, so that a batch is more than one cut.
fn member(key: &str, number: usize) -> String {
    let name = key.split_once('-').unwrap().0;
    let rest = "x".repeat(200);
    format!(r#""{key}":{{"name":"{name}","version":"1","build":"0","size":{number},"x":"{rest}"}}"#)
}

fn members(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| member(&key(number), number))
        .collect()
}

fn index(members: &[String], before: &str, after: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let records = members.join(",");
    write!(file, r#"{{{before}"packages.conda":{{{records}}}{after}"#).unwrap();
    file
}

fn rows(index: &NamedTempFile) -> Rows<usize> {
    let judge = |_: &Record, json: &[u8]| json.len();
    Rows::with_removed(index.path(), Limits::default(), judge).unwrap()
}

/// All batches, up to the end or an error.
async fn taken(rows: &mut Rows<usize>) -> (Vec<Row<usize>>, Option<RepodataError>) {
    let mut all = Vec::new();
    while let Some(batch) = rows.next().await {
        match batch {
            Ok(batch) => all.extend(batch),
            Err(error) => return (all, Some(error)),
        }
    }
    (all, None)
}

#[tokio::test]
async fn every_record_comes_once_and_in_order_however_many_there_are() {
    for count in [0, 1, BATCH - 1, BATCH, BATCH + 1, MANY] {
        let info = r#""info":{"base_url":"../there"},"#;
        let index = index(&members(count), info, r#","removed":["r-1-0.conda"]}"#);
        let mut rows = rows(&index);
        let (all, error) = taken(&mut rows).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(all.len(), count);
        for (number, row) in all.iter().enumerate() {
            let (record, judged) = row.record.as_ref().unwrap();
            assert_eq!(row.ordinal, number as u64);
            assert_eq!(record.file.as_str(), key(number));
            assert_eq!(record.size, Some(number as u64));
            let located = read_at(index.as_file(), row.offset, Limits::default()).unwrap();
            assert_eq!(located.key, record.file.as_str());
            assert_eq!(located.json.len(), *judged);
        }
        assert_eq!(rows.base_url(), Some("../there"));
        assert_eq!(rows.take_removed(), br#"["r-1-0.conda"]"#);
    }
}

#[tokio::test]
async fn an_index_that_breaks_off_ends_with_an_error_wherever_it_does() {
    for count in [0, 1, MANY] {
        let index = index(&members(count), "", r#","packages":"#);
        let (_, error) = taken(&mut rows(&index)).await;
        assert!(error.is_some(), "after {count}");
    }
}

#[tokio::test]
async fn a_thread_that_gives_up_does_not_pass_for_the_end_of_the_index() {
    let index = index(&members(MANY), "", "}");
    let judge = |record: &Record, _: &[u8]| assert_ne!(record.size, Some(MANY as u64 - 1));
    let mut rows = Rows::of(index.path(), Limits::default(), judge).unwrap();
    let reading = tokio::spawn(async move { while rows.next().await.is_some() {} });
    assert!(reading.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn of_two_usable_records_with_one_key_the_first_counts_however_far_apart() {
    let mut members = members(MANY);
    let broken = format!(r#""{}":{{"name":7}}"#, key(MANY));
    members.insert(0, broken);
    members.push(member(&key(MANY), MANY));
    members.push(member(&key(3), 3));
    let (all, error) = taken(&mut rows(&index(&members, "", "}"))).await;
    assert!(error.is_none(), "{error:?}");
    let unusable = |row: &Row<usize>| row.record.is_err().then_some(row.ordinal);
    let unusable: Vec<u64> = all.iter().filter_map(unusable).collect();
    assert_eq!(unusable, [0, MANY as u64 + 2]);
    let twice = all.last().unwrap().record.as_ref().unwrap_err();
    assert!(twice.to_string().contains(&key(3)), "{twice}");
}

#[tokio::test]
async fn what_is_more_than_a_shard_holds_cannot_be_used() {
    let one = member("p00000-1-0.conda", 0);
    let members = ["0", "1", "2"].map(|build| {
        let one = one.replace("-1-0.conda", &format!("-1-{build}.conda"));
        one.replace(r#""build":"0""#, &format!(r#""build":"{build}""#))
    });
    let index = index(&members, "", "}");
    let limits = Limits {
        max_shard_bytes: 3 * one.len() as u64,
        ..Limits::default()
    };
    let mut rows = Rows::of(index.path(), limits, |_, _| 0).unwrap();
    let (all, error) = taken(&mut rows).await;
    assert!(error.is_none(), "{error:?}");
    let usable: Vec<bool> = all.iter().map(|row| row.record.is_ok()).collect();
    assert_eq!(usable, [true, true, false]);
}
