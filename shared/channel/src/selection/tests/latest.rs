//! `--latest`, and a model that sorts everything.

use super::*;
use proptest::prelude::*;
use rattler_conda_types::Version;
use std::cmp::Ordering;

fn latest(wanted: u32, filters: Filters) -> Filters {
    Filters {
        latest: NonZeroU32::new(wanted),
        ..filters
    }
}

/// The files of `names` that a run with `filters` selects.
fn chosen<'a>(filters: &Filters, names: &[&'a str]) -> Vec<&'a str> {
    let selection = select(filters);
    let samples: Vec<_> = names.iter().map(|name| file(name)).collect();
    let newest = selection.ranking().map(|mut ranking| {
        for sample in &samples {
            ranking.offer(&selection, &sample.record, &sample.json);
        }
        ranking.finish()
    });
    let is_chosen = |sample: &Sample| {
        selection.judge(&sample.record, &sample.json, newest.as_ref()) == Choice::Selected
    };
    let all = names.iter().zip(&samples);
    all.filter(|(_, sample)| is_chosen(sample))
        .map(|(name, _)| *name)
        .collect()
}

const FILES: [&str; 8] = [
    "zlib-1.9-0.conda",
    "zlib-1.10-0.conda",
    "zlib-1.10-0.tar.bz2",
    "Zlib-1.10.0-1.conda",
    "zlib-1.10rc1-0.conda",
    "zlib-weird..one-0.conda",
    "xz-5.2-0.conda",
    "xz-1!0.1-0.conda",
];

#[test]
fn the_newest_versions_of_each_name_are_selected_with_all_their_builds() {
    assert_eq!(
        chosen(&latest(1, packages(&[])), &FILES),
        [FILES[1], FILES[2], FILES[3], FILES[7]]
    );
    assert_eq!(
        chosen(&latest(2, packages(&["zlib"])), &FILES),
        [FILES[1], FILES[2], FILES[3], FILES[4]]
    );
    assert_eq!(chosen(&latest(3, packages(&["zlib"])), &FILES), FILES[..5]);
    assert_eq!(chosen(&latest(4, packages(&["zlib"])), &FILES), FILES[..6]);
    assert_eq!(chosen(&latest(u32::MAX, packages(&[])), &FILES), FILES);
}

#[test]
fn only_what_the_other_filters_select_is_ranked() {
    let filters = Filters {
        excluded: owned(&["zlib@1.10"]),
        ..packages(&["zlib"])
    };
    assert_eq!(chosen(&latest(1, filters), &FILES), [FILES[4]]);
    assert_eq!(
        chosen(&latest(1, packages(&["zlib <1.10"])), &FILES),
        [FILES[4]]
    );
    let bz2 = Filters {
        formats: vec![ArchiveType::TarBz2],
        ..packages(&[])
    };
    assert_eq!(chosen(&latest(1, bz2), &FILES), [FILES[2]]);
}

#[test]
fn nothing_is_ranked_unless_it_is_asked_for() {
    assert!(select(&packages(&["zlib"])).ranking().is_none());
    let selection = select(&latest(1, packages(&[])));
    let old = file(FILES[0]);
    assert_eq!(
        selection.judge(&old.record, &old.json, None),
        Choice::Selected
    );
}

/// Conda's order, and what it cannot read below, by its text.
fn order(a: &str, b: &str) -> Ordering {
    match (a.parse::<Version>(), b.parse::<Version>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Greater,
        (Err(_), Ok(_)) => Ordering::Less,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// Every version of the name sorted, repetitions taken out, the last `wanted` kept.
fn model<'a>(wanted: usize, names: &[&'a str]) -> Vec<&'a str> {
    let parse = |name: &str| name.parse::<crate::name::FileName>().unwrap();
    let kept = |name: &&&str| {
        let own = parse(name);
        let mut versions: Vec<String> = names
            .iter()
            .map(|other| parse(other))
            .filter(|other| other.name() == own.name())
            .map(|other| other.version().to_owned())
            .collect();
        versions.sort_by(|a, b| order(b, a));
        versions.dedup_by(|a, b| order(a, b) == Ordering::Equal);
        let mut newest = versions.iter().take(wanted);
        newest.any(|version| order(version, own.version()) == Ordering::Equal)
    };
    names.iter().filter(kept).copied().collect()
}

proptest! {
    #[test]
    fn it_selects_what_sorting_everything_would(
        wanted in 1_u32..5,
        files in prop::collection::vec(("[ab]", "([12]!)?[0-2](\\.([01]|rc1|dev|post1|1a)){0,3}(\\+[01])?|[x_.]{1,3}y?", "[01]", any::<bool>()), 0..25),
    ) {
        let names: Vec<String> = files
            .iter()
            .map(|(name, version, build, conda)| {
                let extension = if *conda { "conda" } else { "tar.bz2" };
                format!("{name}-{version}-{build}.{extension}")
            })
            .filter(|name| name.parse::<crate::name::FileName>().is_ok())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        prop_assert_eq!(
            chosen(&latest(wanted, packages(&[])), &names),
            model(wanted as usize, &names)
        );
    }
}

/// The files of `records` (name and build number) that are the newest of their name and format.
fn newest<'a>(records: &[(&'a str, u64)]) -> Vec<&'a str> {
    let filters = Filters {
        newest_build: true,
        ..packages(&[])
    };
    let selection = select(&filters);
    let mut ranking = selection.ranking().unwrap();
    let samples: Vec<_> = records
        .iter()
        .map(|(name, number)| (file(name), format!(r#"{{"build_number":{number}}}"#)))
        .collect();
    for (sample, json) in &samples {
        ranking.offer(&selection, &sample.record, json.as_bytes());
    }
    let newest = ranking.finish();
    let kept = samples
        .iter()
        .zip(records)
        .filter(|((sample, _), _)| newest.contains(&sample.record.file));
    kept.map(|(_, (name, _))| *name).collect()
}

#[test]
fn the_newest_build_is_that_of_the_highest_number_of_the_newest_version_and_the_first_of_a_tie() {
    let records = [
        ("zlib-1.9-9.conda", 9),
        ("zlib-1.10-a_1.conda", 1),
        ("zlib-1.10.0-b_2.conda", 2),
        ("zlib-1.10-c_2.conda", 2),
        ("zlib-1.10rc1-d_7.conda", 7),
        ("zlib-1.8-0.tar.bz2", 0),
        ("zlib-1.7-1.tar.bz2", 1),
        ("xz-1!0.1-0.conda", 0),
        ("xz-5.2-0.conda", 0),
    ];
    assert_eq!(
        newest(&records),
        [
            "zlib-1.10.0-b_2.conda",
            "zlib-1.8-0.tar.bz2",
            "xz-1!0.1-0.conda"
        ]
    );
}
