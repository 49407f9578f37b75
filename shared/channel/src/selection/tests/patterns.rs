//! What each kind of pattern matches, and how they are told apart.

use super::*;

fn matched<'a>(pattern: &str, files: &[&'a str]) -> Vec<&'a str> {
    let is_matched = |name: &&&str| selects(pattern, &file(name));
    files.iter().filter(is_matched).copied().collect()
}

const FILES: [&str; 6] = [
    "zlib-1.2.13-h0_1.conda",
    "zlib-1.3-h0_1.conda",
    "Zlib-1.2.13.0-h5_0.conda",
    "zlib-ng-1.2.13-h0_1.conda",
    "python-3.9.1-h7_cpython.conda",
    "pya-3.9-0.conda",
];

#[test]
fn a_name_or_a_glob_selects_all_versions_in_any_case() {
    assert_eq!(matched("ZLIB", &FILES), FILES[..3]);
    assert_eq!(matched(" zlib\t", &FILES), FILES[..3]);
    assert_eq!(matched("Zlib*", &FILES), FILES[..4]);
    assert_eq!(matched("py[ab]*", &FILES), [FILES[5]]);
    assert_eq!(matched("{zlib-ng,py?}", &FILES), [FILES[3], FILES[5]]);
    assert_eq!(matched("nothing", &FILES), [""; 0]);
}

#[test]
fn no_pattern_or_all_among_them_selects_everything() {
    for given in [&[][..], &["all"], &["*"], &["zlib", " ALL "]] {
        for name in FILES {
            assert_eq!(
                judge(&packages(given), &file(name)),
                Choice::Selected,
                "{given:?} {name}"
            );
        }
    }
    assert!(!selects("all*", &file(FILES[0])));
}

#[test]
fn a_version_after_an_at_is_exactly_that_version_in_condas_equality() {
    assert_eq!(matched("zlib@1.2.13", &FILES), [FILES[0], FILES[2]]);
    assert_eq!(matched("zlib@1.3.0.0", &FILES), [FILES[1]]);
    assert_eq!(
        matched("ZLib*@1.2.13", &FILES),
        [FILES[0], FILES[2], FILES[3]]
    );
    assert_eq!(matched("*@3.9", &FILES), [FILES[5]]);
    assert_eq!(matched("zlib@1.2", &FILES), [""; 0]);
}

#[test]
fn a_version_spec_may_stand_after_the_at() {
    assert_eq!(matched("zlib@1.2.*", &FILES), [FILES[0], FILES[2]]);
    assert_eq!(matched("zlib@>=1.3,<2", &FILES), [FILES[1]]);
    assert_eq!(matched("py*@3.9|4", &FILES), [FILES[5]]);
    assert_eq!(
        matched("{pya,zlib}@!=1.3", &FILES),
        [FILES[0], FILES[2], FILES[5]]
    );
    assert_eq!(matched("zlib@*", &FILES), FILES[..3]);
}

#[test]
fn a_matchspec_selects_what_conda_would_take() {
    assert_eq!(matched("zlib >=1.2.12,<1.3", &FILES), [FILES[0], FILES[2]]);
    assert_eq!(matched("zlib=1.2", &FILES), [FILES[0], FILES[2]]);
    assert_eq!(matched("zlib=1.2.13=h0*", &FILES), [FILES[0]]);
    assert_eq!(matched("zlib * h0_1", &FILES), FILES[..2]);
    assert_eq!(matched("Z*b >=1.3", &FILES), [FILES[1]]);
    assert_eq!(matched("::zlib", &FILES), FILES[..3]);
    assert_eq!(
        matched("*[version='3.9.*', build=*cpython]", &FILES),
        [FILES[4]]
    );
}

#[test]
fn what_begins_with_a_caret_and_ends_with_a_dollar_is_a_regular_expression_for_names() {
    assert_eq!(matched("^py.$", &FILES), [FILES[5]]);
    assert_eq!(
        matched("^(?:zlib|pya)$", &FILES),
        [FILES[0], FILES[1], FILES[2], FILES[5]]
    );
    assert_eq!(matched("^zlib$ >=1.3", &FILES), [FILES[1]]);
}

#[test]
fn a_spec_may_ask_for_one_file() {
    assert_eq!(matched("*[fn=zlib-1.3-h0_1.conda]", &FILES), [FILES[1]]);
    assert_eq!(matched("zlib[fn='zlib-1.*']", &FILES), FILES[..3]);
    assert_eq!(matched("python[fn=zlib-1.3-h0_1.conda]", &FILES), [""; 0]);
}

#[test]
fn a_spec_sees_the_fields_of_the_record() {
    let zlib = sample(
        "zlib-1.2-h0_3.conda",
        &json!({
            "build_number": 3, "license": "Zlib", "license_family": "Other", "track_features": "a b",
            "flags": ["cuda", "blas:mkl"], "md5": "0123456789abcdef0123456789abcdef",
        }),
    );
    for spec in [
        "zlib[build_number=3]",
        "*[build_number='>=2']",
        "*[license=Zlib]",
        "z*[license_family=Other, version='>=1']",
        "zlib[track_features=b]",
        "zlib[flags=[cuda, blas:*]]",
        "*[md5=0123456789abcdef0123456789ABCDEF]",
    ] {
        assert!(selects(spec, &zlib), "{spec}");
    }
    for spec in [
        "zlib[build_number=0]",
        "*[license=zlib]",
        "*[license_family=MIT]",
        "zlib[track_features='b c']",
        "zlib[flags=[rocm]]",
        "xz[build_number=3]",
        "*[md5=00000000000000000000000000000000]",
        "zlib[sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]",
    ] {
        assert!(!selects(spec, &zlib), "{spec}");
    }
}

#[test]
fn track_features_are_read_in_all_the_forms_that_channels_write() {
    for features in [
        json!("a b"),
        json!("a,b"),
        json!("a, b"),
        json!([" a", "b"]),
    ] {
        let zlib = sample("zlib-1-0.conda", &json!({ "track_features": features }));
        assert!(selects("*[track_features='b a']", &zlib), "{features}");
        assert!(!selects("*[track_features=c]", &zlib), "{features}");
    }
}

#[test]
fn a_field_of_another_type_counts_as_absent() {
    let odd = sample(
        "zlib-1.2-0.conda",
        &json!({
            "build_number": "0", "license": ["MIT"], "license_family": 1, "track_features": {"a": 1}, "flags": [1, "cuda"],
        }),
    );
    for spec in [
        "*[build_number=0]",
        "*[build_number='>=0']",
        "*[license=MIT]",
        "*[license_family=1]",
        "*[track_features=a]",
        "*[flags=[cuda]]",
    ] {
        assert!(!selects(spec, &odd), "{spec}");
    }
    let mut twice = file("zlib-1.2-0.conda");
    twice.json =
        br#"{"license":"MIT","b\u0075ild_number":1,"license":"\ud800","license":"Zlib"}"#.to_vec();
    assert!(selects("*[license=Zlib, build_number=1]", &twice));
    assert!(!selects("*[license=MIT]", &twice));
    for broken in ["", "[]", "null", "{\"license\":\"MIT\"", "\u{0}"] {
        twice.json = broken.as_bytes().to_vec();
        assert!(!selects("*[license=MIT]", &twice), "{broken:?}");
        assert!(selects("zlib@1.2", &twice), "{broken:?}");
    }
}

#[test]
fn a_version_that_conda_cannot_read_is_matched_by_no_version_spec() {
    let odd = sample("zlib-1..2-0.conda", &json!({"license": "Zlib"}));
    for spec in [
        "zlib",
        "zlib@*",
        "zlib * 0",
        "*[license=Zlib]",
        "zlib[fn='*.conda']",
    ] {
        assert!(selects(spec, &odd), "{spec}");
    }
    for spec in ["zlib@0", "zlib >=0", "zlib !=1", "zlib <999", "z*@!=5"] {
        assert!(!selects(spec, &odd), "{spec}");
    }
}

#[test]
fn patterns_add_up() {
    let filters = packages(&["zlib@1.3", "python", "pya[build=1]", "zlib@1.2.13"]);
    let chosen = FILES.map(|name| judge(&filters, &file(name)) == Choice::Selected);
    assert_eq!(chosen, [true, true, true, false, true, false]);
}

#[test]
fn what_is_excluded_or_undistributable_leaves_the_index_and_wins() {
    let filters = Filters {
        excluded: owned(&["zlib@1.3", "*[license=Secret]"]),
        undistributable: owned(&["mkl*"]),
        ..packages(&["zlib", "mkl"])
    };
    let secret = sample("zlib-1.2-0.conda", &json!({"license": "Secret"}));
    for (sample, choice) in [
        (file("zlib-1.3-0.conda"), Choice::Excluded),
        (secret, Choice::Excluded),
        (file("mkl-2023-0.conda"), Choice::Excluded),
        (file("mkl-dev-2023-0.conda"), Choice::Excluded),
        (file("zlib-1.2-0.conda"), Choice::Selected),
        (file("python-3.9-0.conda"), Choice::Unselected),
    ] {
        assert_eq!(judge(&filters, &sample), choice, "{}", sample.record.file);
        assert_eq!(
            select(&filters).excludes(&sample.record, &sample.json),
            choice == Choice::Excluded
        );
    }
    let everything = Selection::everything();
    let zlib = file(FILES[0]);
    assert_eq!(
        everything.judge(&zlib.record, &zlib.json, None),
        Choice::Selected
    );
    let nothing = Filters {
        excluded: owned(&["all"]),
        ..Filters::default()
    };
    assert_eq!(judge(&nothing, &zlib), Choice::Excluded);
}
