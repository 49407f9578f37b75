//! `--newer-than`, `--max-size`, `--formats`.

use super::*;
use crate::name::ArchiveType::{Conda, TarBz2};
use std::time::Duration;

const DAY_MS: u64 = 86_400_000;

fn newer_than(text: &str) -> NewerThan {
    text.parse().unwrap()
}

#[test]
fn dates_and_ages_are_read_as_people_write_them() {
    for (text, ms) in [
        ("2026-01-31", NOW_MS),
        (" 2026-01-31 ", NOW_MS),
        ("2026-01-31T00:00:00Z", NOW_MS),
        ("2026-01-31T02:00:00+02:00", NOW_MS),
        ("2026-01-31 12:30:00.5Z", NOW_MS + 45_000_500),
        ("1970-01-01", 0),
    ] {
        assert_eq!(newer_than(text), NewerThan::Date(ms), "{text}");
    }
    for (text, minutes) in [
        ("90m", 90),
        ("36h", 36 * 60),
        ("30d", 30 * 1440),
        ("2 w", 14 * 1440),
        ("1y", 365 * 1440),
    ] {
        let age = Duration::from_secs(minutes * 60);
        assert_eq!(newer_than(text), NewerThan::Age(age), "{text}");
    }
}

#[test]
fn a_bad_date_or_age_is_refused_with_what_to_write_instead() {
    for (text, word) in [
        ("", "neither a date"),
        ("yesterday", "neither a date"),
        ("-3d", "neither a date"),
        ("2026-13-01", "no date"),
        ("2026-02-30", "no date"),
        ("2026-1-1", "no date"),
        ("2026-01-31T12:00:00", "no date"),
        ("2026-01-31T25:00:00Z", "no date"),
        ("1969-12-31", "before 1970"),
        ("20260131", "needs a unit"),
        ("30", "needs a unit"),
        ("2026/01/31", "neither a date"),
        ("31.01.2026", "neither a date"),
        ("07:32:00", "neither a date"),
        ("30 days", "needs a unit"),
        ("1d12h", "needs a unit"),
        ("30D", "needs a unit"),
        ("0d", "no time at all"),
        ("201y", "longer than"),
        ("18446744073709551616h", "longer than"),
        ("18446744073709551615y", "longer than"),
    ] {
        let message = text.parse::<NewerThan>().unwrap_err().to_string();
        assert!(message.starts_with("--newer-than \""), "{message}");
        assert!(message.contains(word), "{text:?}: {message}");
        assert!(!message.contains('\n'), "{message:?}");
    }
}

fn built(timestamp: Value) -> Sample {
    sample("zlib-1.2-0.conda", &json!({ "timestamp": timestamp }))
}

#[test]
fn a_date_selects_what_was_built_at_it_or_later() {
    let filters = Filters {
        newer_than: Some(newer_than("2026-01-01T00:00:00Z")),
        ..Filters::default()
    };
    let since = NOW_MS - 30 * DAY_MS;
    for (timestamp, choice) in [
        (json!(since), Choice::Selected),
        (json!(since - 1), Choice::Unselected),
        (json!(since / 1000), Choice::Selected),
        (json!(since / 1000 - 1), Choice::Unselected),
        (json!(0), Choice::Unselected),
        (json!(-1), Choice::Unselected),
        (json!(i64::MAX), Choice::Selected),
        (json!(null), Choice::Unselected),
        (json!("2026-01-31"), Choice::Unselected),
        (json!(1e300), Choice::Unselected),
    ] {
        assert_eq!(
            judge(&filters, &built(timestamp.clone())),
            choice,
            "{timestamp}"
        );
    }
    assert_eq!(
        judge(&filters, &file("zlib-1.2-0.conda")),
        Choice::Unselected
    );
}

#[test]
fn an_age_is_counted_back_from_now() {
    let filters = |text| Filters {
        newer_than: Some(newer_than(text)),
        ..Filters::default()
    };
    let week = built(json!(NOW_MS - 7 * DAY_MS));
    assert_eq!(judge(&filters("1w"), &week), Choice::Selected);
    assert_eq!(judge(&filters("167h"), &week), Choice::Unselected);
    let epoch = built(json!(0));
    assert_eq!(judge(&filters("200y"), &epoch), Choice::Selected);
    let later = Selection::new(&filters("1w"), NOW_MS + 1).unwrap();
    assert_eq!(
        later.judge(&week.record, &week.json, None),
        Choice::Unselected
    );
}

#[test]
fn a_file_that_is_larger_or_does_not_say_its_size_is_not_selected() {
    let filters = Filters {
        max_size: Some(100),
        ..Filters::default()
    };
    let sized = |size: Value| sample("zlib-1.2-0.conda", &json!({ "size": size }));
    assert_eq!(judge(&filters, &sized(json!(100))), Choice::Selected);
    assert_eq!(judge(&filters, &sized(json!(0))), Choice::Selected);
    assert_eq!(judge(&filters, &sized(json!(101))), Choice::Unselected);
    assert_eq!(judge(&filters, &sized(json!(null))), Choice::Unselected);
    assert_eq!(
        judge(&filters, &file("zlib-1.2-0.conda")),
        Choice::Unselected
    );
}

#[test]
fn formats_select_their_files_and_none_selects_both() {
    let (conda, bz2) = (file("zlib-1.2-0.conda"), file("zlib-1.2-0.tar.bz2"));
    for (formats, expected) in [
        (vec![], [true, true]),
        (vec![Conda, TarBz2], [true, true]),
        (vec![Conda, Conda], [true, false]),
        (vec![TarBz2], [false, true]),
    ] {
        let filters = Filters {
            formats: formats.clone(),
            ..Filters::default()
        };
        let selected = [&conda, &bz2].map(|file| judge(&filters, file) == Choice::Selected);
        assert_eq!(selected, expected, "{formats:?}");
    }
}

#[test]
fn all_filters_have_to_agree_and_exclusion_does_not_ask_them() {
    let fields = json!({ "size": 10, "timestamp": NOW_MS, "license": "MIT" });
    let zlib = sample("zlib-1.2-0.conda", &fields);
    let all = Filters {
        newer_than: Some(newer_than("1d")),
        max_size: Some(10),
        formats: vec![Conda],
        ..packages(&["*[license=MIT]"])
    };
    assert_eq!(judge(&all, &zlib), Choice::Selected);
    for one_off in [
        Filters {
            newer_than: Some(newer_than("2026-02-01")),
            ..all.clone()
        },
        Filters {
            max_size: Some(9),
            ..all.clone()
        },
        Filters {
            formats: vec![TarBz2],
            ..all.clone()
        },
        Filters {
            packages: owned(&["*[license=BSD]"]),
            ..all.clone()
        },
    ] {
        assert_eq!(judge(&one_off, &zlib), Choice::Unselected, "{one_off:?}");
        let excluded = Filters {
            excluded: owned(&["zlib"]),
            ..one_off
        };
        assert_eq!(judge(&excluded, &zlib), Choice::Excluded, "{excluded:?}");
    }
}
