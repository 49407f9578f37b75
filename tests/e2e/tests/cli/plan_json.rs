//! What a plan costs: time at a rate, the largest names, and the same numbers as JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::{Fill, PackageSpec};
use mirror_kit::process::Finished;
use serde_json::Value;

use crate::plan_table::{Name, names, row, size};
use crate::support::{four_packages, mirror_offline};

/// Twelve names of growing size in linux-64, every third one in noarch as well.
fn twelve_names(dir: PathBuf) -> anyhow::Result<Channel> {
    (1..=12_u64)
        .fold(ChannelBuilder::new(dir), |builder, number| {
            let name = format!("name-{number:02}");
            let spec = PackageSpec::new(&name, "1.0", "0").payload(number * 2_000, Fill::Random);
            match number % 3 {
                0 => builder.package(spec.clone()).package(spec.noarch()),
                _ => builder.package(spec),
            }
        })
        .build()
}

/// Name, files and bytes by what the channel has, the largest first.
fn largest(channel: &Channel) -> Vec<(String, u64, u64)> {
    let mut sums = BTreeMap::<String, (u64, u64)>::new();
    for file in &channel.files {
        let name = file.record["name"].as_str().unwrap();
        let sum = sums.entry(name.to_owned()).or_default();
        *sum = (sum.0 + 1, sum.1 + file.size);
    }
    let mut sums: Vec<_> = sums
        .into_iter()
        .map(|(name, (files, bytes))| (name, files, bytes))
        .collect();
    sums.sort_by_key(|(_, _, bytes)| std::cmp::Reverse(*bytes));
    sums
}

/// The one object on standard output.
fn object(finished: &Finished) -> Value {
    let text = finished.stdout.strip_suffix('\n').expect("a whole line");
    assert!(!text.contains('\n'), "{}", finished.to_text());
    let object: Value = serde_json::from_str(text).expect("JSON");
    assert!(object.is_object(), "{object}");
    object
}

#[tokio::test]
async fn the_ten_largest_names_are_shown_with_their_sums_over_the_subdirs() {
    let stage = Stage::registry(twelve_names).await;
    let finished = stage.run().arg("--dry-run").run().await;
    finished.assert_code(0);
    let largest = largest(&stage.channel);
    assert_eq!(largest.len(), 12);
    assert_eq!(largest[0].1, 2, "the largest is in both subdirs");
    let expected = largest[..10].iter().map(|(name, files, bytes)| Name {
        name: name.clone(),
        files: *files,
        size: size(*bytes),
    });
    assert_eq!(names(&finished), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn the_columns_of_both_tables_stand_below_their_titles() {
    let stage = Stage::registry(twelve_names).await;
    let run = stage
        .run()
        .args(["--dry-run", "--max-writes-per-minute", "100"]);
    let finished = run.run().await;
    let tables: Vec<&str> = finished.stdout.split("\n\n").collect();
    assert_eq!(tables.len(), 2, "{}", finished.to_text());
    for (table, rows) in tables.into_iter().zip([4, 11]) {
        let ends: Vec<usize> = table
            .lines()
            .take(rows)
            .map(|line| line.chars().count())
            .collect();
        assert_eq!(ends.len(), rows, "{}", finished.to_text());
        let first = ends[0];
        assert!(
            ends.iter().all(|end| *end == first),
            "{}",
            finished.to_text()
        );
    }
}

#[tokio::test]
async fn a_plan_for_one_name_shows_no_order_of_names() {
    let stage = Stage::registry(four_packages).await;
    let finished = stage.run().args(["--dry-run", "-p", "zlib"]).run().await;
    finished.assert_code(0);
    assert_eq!(names(&finished), []);
    assert!(
        !finished.stdout.contains("largest"),
        "{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn a_rate_gives_each_subdir_and_the_whole_the_time_they_would_take() {
    let stage = Stage::registry(twelve_names).await;
    let run = stage
        .run()
        .args(["--dry-run", "--max-writes-per-minute", "10"]);
    let finished = run.run().await;
    finished.assert_code(0);
    let time = |seconds: u64| format!("{}m {}s", seconds / 60, seconds % 60);
    for subdir in ["linux-64", "noarch", "total"] {
        let row = row(&finished, subdir);
        assert_eq!(row.time, Some(time(row.writes * 6)), "{subdir}");
    }
    let says = format!(
        "about {} at 10 writes a minute",
        time(row(&finished, "total").writes * 6)
    );
    assert!(
        finished.stdout.contains(&says),
        "{says}\n{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn the_rate_that_a_vendor_is_known_to_allow_counts_without_being_told() {
    let stage = Stage::registry(four_packages).await;
    // Nobody is reached there: no more than the rate is known.
    let from = stage.source.url();
    let run = |more: &'static [&'static str]| {
        let run = mirror_offline(&stage.home).args(["-c", &from, "-s", "linux-64", "--user", "x"]);
        run.args(["--dry-run", "--json"]).args(more)
    };
    assert_eq!(object(&run(&[]).run().await)["rate"], 2000);
    let told = run(&["--max-writes-per-minute", "7"]).run().await;
    assert_eq!(object(&told)["rate"], 7);
}

#[tokio::test]
async fn json_has_the_numbers_of_the_table_and_nothing_else_is_printed() {
    let stage = Stage::registry(twelve_names).await;
    let dry = || {
        stage
            .run()
            .args(["--dry-run", "--max-writes-per-minute", "10"])
    };
    let table = dry().run().await;
    let json = dry().arg("--json").run().await;
    json.assert_code(0);
    assert_eq!(json.stderr, "", "{}", json.to_text());
    let object = object(&json);
    let same = |numbers: &Value, subdir: &str| {
        let row = row(&table, subdir);
        assert_eq!(numbers["planned_builds"], row.builds, "{subdir}");
        assert_eq!(numbers["planned_files"], row.files, "{subdir}");
        assert_eq!(
            size(numbers["planned_bytes"].as_u64().unwrap()),
            row.size,
            "{subdir}"
        );
        assert_eq!(numbers["planned_writes"], row.writes, "{subdir}");
    };
    same(&object["totals"], "total");
    for (at, subdir) in ["linux-64", "noarch"].into_iter().enumerate() {
        assert_eq!(object["subdirs"][at]["subdir"], subdir);
        same(&object["subdirs"][at], subdir);
    }
    assert_eq!(object["rate"], 10);
    assert_eq!(object["planned_seconds"], row(&table, "total").writes * 6);
    assert_eq!(object["dry_run"], true);
    let names: Vec<_> = object["largest_names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| {
            let number = |key: &str| name[key].as_u64().unwrap();
            (
                name["name"].as_str().unwrap().to_owned(),
                number("files"),
                number("bytes"),
            )
        })
        .collect();
    assert_eq!(names, largest(&stage.channel)[..10]);
}

#[tokio::test]
async fn json_of_a_run_says_what_it_came_to() {
    let stage = Stage::registry(four_packages).await;
    let first = stage.run().arg("--json").run().await;
    first.assert_code(0);
    let first = object(&first);
    assert_eq!(first["totals"]["done"], 4);
    assert_eq!(first["channel"], *stage.channel.name);
    assert_eq!(
        first["registry"],
        format!("{}/{NAMESPACE}", stage.fake().url())
    );
    assert_eq!(first.get("rate"), None, "no rate is known");
    let again = object(&stage.run().args(["--json", "--quiet"]).run().await);
    assert_eq!(again["subdirs"][0]["unchanged"], true);
    assert_eq!(again["subdirs"][0]["indexed"], 4);
}
