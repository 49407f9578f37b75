#![allow(clippy::unwrap_used)]

mod against_rattler;
mod fingerprint;
mod latest;
mod malformed;
mod other_filters;
mod patterns;

use super::*;
use crate::repodata::Section;
use serde_json::{Value, json};

/// 2026-01-31T00:00:00Z
const NOW_MS: u64 = 1_769_817_600_000;

/// A record and its JSON.
struct Sample {
    record: Record,
    json: Vec<u8>,
}

/// A record of the file `name`, with `fields` besides what every record has.
fn sample(name: &str, fields: &Value) -> Sample {
    let file: crate::name::FileName = name.parse().unwrap();
    let mut all = json!({
        "name": file.name().to_ascii_lowercase(),
        "version": file.version(),
        "build": file.build(),
        "depends": [],
    });
    for (key, value) in fields.as_object().unwrap() {
        all[key] = value.clone();
    }
    let json = serde_json::to_vec(&all).unwrap();
    let record = Record::parse(Section::PackagesConda, name, &json).unwrap();
    Sample { record, json }
}

fn file(name: &str) -> Sample {
    sample(name, &json!({}))
}

fn owned(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(|&pattern| pattern.to_owned()).collect()
}

fn packages(patterns: &[&str]) -> Filters {
    Filters {
        packages: owned(patterns),
        ..Filters::default()
    }
}

fn select(filters: &Filters) -> Selection {
    Selection::new(filters, NOW_MS).unwrap()
}

fn judge(filters: &Filters, sample: &Sample) -> Choice {
    select(filters).judge(&sample.record, &sample.json, None)
}

fn selects(pattern: &str, sample: &Sample) -> bool {
    judge(&packages(&[pattern]), sample) == Choice::Selected
}

/// The message of the error that `pattern` is refused with.
fn refusal(pattern: &str) -> String {
    match Selection::new(&packages(&[pattern]), NOW_MS) {
        Ok(_) => panic!("{pattern:?} is accepted"),
        Err(error) => error.to_string(),
    }
}
