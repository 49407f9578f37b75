//! The fingerprint is of the meaning.

use super::*;
use crate::name::ArchiveType::{Conda, TarBz2};
use std::collections::BTreeSet;

fn print(filters: &Filters) -> String {
    select(filters).fingerprint()
}

fn of(patterns: &[&str]) -> String {
    print(&packages(patterns))
}

#[test]
fn order_repetition_case_and_spelling_of_patterns_do_not_matter() {
    let all = of(&[]);
    assert_eq!(all, Selection::everything().fingerprint());
    assert_eq!(all, of(&["ALL", "zlib"]));
    assert_eq!(all, of(&["*"]));
    assert_eq!(of(&["zlib", "Py*", "zlib"]), of(&["py*", " ZLIB"]));
    assert_eq!(of(&["zlib >=1,<2", "xz"]), of(&["xz", "ZLIB  >=1, <2"]));
    assert_eq!(of(&["zlib@1.2"]), of(&["zlib ==1.2"]));
    assert_eq!(of(&["zlib@*"]), of(&["zlib"]));
    assert_eq!(
        of(&["ZL*[build_number=1]"]),
        of(&["zl*[build_number='==1']"])
    );
    let both = Filters {
        formats: vec![TarBz2, Conda],
        ..Filters::default()
    };
    assert_eq!(all, print(&both));
    let excluded = Filters {
        excluded: owned(&["mkl"]),
        ..Filters::default()
    };
    let listed = Filters {
        undistributable: owned(&["MKL"]),
        ..Filters::default()
    };
    assert_eq!(print(&excluded), print(&listed));
}

#[test]
fn every_filter_is_in_it() {
    let newer_than = |text: &str| Some(text.parse().unwrap());
    let distinct = [
        packages(&[]),
        packages(&["zlib"]),
        packages(&["zlib*"]),
        packages(&["zlib@1"]),
        packages(&["zlib*@1"]),
        packages(&["zlib*@2"]),
        packages(&["zlib >=1"]),
        packages(&["zlib[license=MIT]"]),
        packages(&["zlib[license=mit]"]),
        packages(&["zlib[fn=x]"]),
        packages(&["^\\D$"]),
        packages(&["^\\d$"]),
        Filters {
            excluded: owned(&["zlib"]),
            ..Filters::default()
        },
        Filters {
            excluded: owned(&["all"]),
            ..Filters::default()
        },
        Filters {
            latest: NonZeroU32::new(1),
            ..Filters::default()
        },
        Filters {
            latest: NonZeroU32::new(2),
            ..Filters::default()
        },
        Filters {
            newer_than: newer_than("1w"),
            ..Filters::default()
        },
        Filters {
            newer_than: newer_than("8d"),
            ..Filters::default()
        },
        Filters {
            newer_than: newer_than("2026-01-01"),
            ..Filters::default()
        },
        Filters {
            max_size: Some(0),
            ..Filters::default()
        },
        Filters {
            max_size: Some(1),
            ..Filters::default()
        },
        Filters {
            formats: vec![Conda],
            ..Filters::default()
        },
        Filters {
            formats: vec![TarBz2],
            ..Filters::default()
        },
    ];
    let prints: BTreeSet<_> = distinct.iter().map(print).collect();
    assert_eq!(prints.len(), distinct.len());
}

#[test]
fn an_age_is_in_it_and_not_the_time_it_is_counted_from() {
    let filters = |text: &str| Filters {
        newer_than: Some(text.parse().unwrap()),
        ..Filters::default()
    };
    let (now, later) = (filters("1w"), filters("7d"));
    assert_eq!(
        Selection::new(&now, NOW_MS).unwrap().fingerprint(),
        Selection::new(&later, NOW_MS + 12_345)
            .unwrap()
            .fingerprint()
    );
}

#[test]
fn it_is_the_same_in_every_run_and_build() {
    assert_eq!(
        of(&["zlib >=1.2,<2", "py*"]),
        "c84002ae894616f5d7129c5186630bce76acd1cd1aa928930992adaa3dd4b6eb"
    );
}
