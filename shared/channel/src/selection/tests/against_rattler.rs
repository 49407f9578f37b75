//! The selection against rattler's own reading of the whole record and its own matching.

use super::*;
use proptest::prelude::*;
use rattler_conda_types::{MatchSpec, Matches as _, PackageRecord, ParseMatchSpecOptions};
use serde_json::Map;

/// A field of a record: as it should be, of a type that it must not have, or absent.
#[derive(Debug, Clone)]
enum Field {
    Sound(Value),
    Odd(Value),
    Absent,
}

fn field(sound: impl Strategy<Value = Value>) -> impl Strategy<Value = Field> {
    prop_oneof![
        6 => sound.prop_map(Field::Sound),
        1 => odd().prop_map(Field::Odd),
        2 => Just(Field::Absent),
    ]
}

/// Values that no field that is matched may have.
fn odd() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(true),
        json!(-1),
        json!(1.5),
        json!({"MIT": 1}),
        json!([1]),
        json!([["MIT"]]),
    ])
}

fn text(of: &[&str]) -> impl Strategy<Value = Value> + use<> {
    prop::sample::select(owned(of)).prop_map(Value::from)
}

const NAMES: [&str; 5] = ["zlib", "zlib-ng", "xz", "_mutex", "r.base"];
const VERSIONS: [&str; 9] = [
    "1.2",
    "1.2.0",
    "1.2.3",
    "1.10",
    "2.0a1",
    "1!0.5",
    "1.2+cu1",
    "2",
    "1.2.3.post1",
];
const BUILDS: [&str; 4] = ["0", "py39_0", "PY39_1", "h1_0"];
const LICENSES: [&str; 4] = ["MIT", "BSD-3-Clause", "GPL-2.0 WITH X", ""];
const FEATURES: [&str; 3] = ["a", "nomkl", "b"];
const MD5: [&str; 2] = [
    "0123456789abcdef0123456789abcdef",
    "00000000000000000000000000000000",
];
const SHA256: [&str; 2] = [
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "1111111111111111111111111111111111111111111111111111111111111111",
];

fn record() -> impl Strategy<Value = (String, Vec<(&'static str, Field)>)> {
    let features = prop_oneof![
        text(&["a", "nomkl b", "a, b", "", " a"]),
        Just(json!(["nomkl", " b "])),
        Just(json!([])),
    ];
    let flags = prop::sample::subsequence(vec!["cuda", "blas:mkl", "Odd Flag"], 0..=3)
        .prop_map(|flags| json!(flags));
    let stem = (
        prop::sample::select(&NAMES[..]),
        prop::sample::select(&VERSIONS[..]),
        prop::sample::select(&BUILDS[..]),
    );
    let fields = (
        field((0_u64..4).prop_map(Value::from)),
        field(text(&LICENSES)),
        field(text(&["MIT", "BSD", "GPL"])),
        field(features),
        field(flags),
        field(prop_oneof![
            Just(json!(0)),
            Just(json!(1_700_000_000)),
            Just(json!(1_700_000_000_000_u64))
        ]),
        prop::option::of(text(&MD5)),
        prop::option::of(text(&SHA256)),
    );
    (stem, fields).prop_map(|((name, version, build), fields)| {
        let (number, license, family, features, flags, timestamp, md5, sha256) = fields;
        let sound = |value: Option<Value>| value.map_or(Field::Absent, Field::Sound);
        let fields = vec![
            ("build_number", number),
            ("license", license),
            ("license_family", family),
            ("track_features", features),
            ("flags", flags),
            ("timestamp", timestamp),
            ("md5", sound(md5)),
            ("sha256", sound(sha256)),
        ];
        (format!("{name}-{version}-{build}.conda"), fields)
    })
}

fn constraint() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        4 => (prop::sample::select(vec![">=", "<=", ">", "<", "==", "!=", "~=", "="]), prop::sample::select(&VERSIONS[..]))
            .prop_map(|(sign, version)| format!("{sign}{version}")),
        1 => prop::sample::select(owned(&["1.2", "1.2.*", "1.*", "*", "1.2*", "!=1.2.*", "2"])),
    ];
    prop::collection::vec((one, prop::sample::select(vec![",", "|"])), 1..4).prop_map(|parts| {
        let mut text = String::new();
        for (index, (part, sign)) in parts.iter().enumerate() {
            if index > 0 {
                text.push_str(sign);
            }
            text.push_str(part);
        }
        text
    })
}

fn bracket() -> impl Strategy<Value = String> {
    prop_oneof![
        constraint().prop_map(|versions| format!("version='{versions}'")),
        prop::sample::select(owned(&["py39_0", "*_0", "py*", "h?_0", "^py.*$"]))
            .prop_map(|build| format!("build='{build}'")),
        (prop::sample::select(vec!["", ">=", "<", "!=", "=="]), 0..4)
            .prop_map(|(sign, number)| format!("build_number='{sign}{number}'")),
        prop::sample::select(&LICENSES[..3]).prop_map(|license| format!("license=\"{license}\"")),
        prop::sample::select(vec!["MIT", "BSD"])
            .prop_map(|family| format!("license_family={family}")),
        prop::sample::select(&FEATURES[..]).prop_map(|feature| format!("track_features={feature}")),
        prop::sample::select(vec!["cuda", "blas:*", "cuda, blas:mkl"])
            .prop_map(|flags| format!("flags=[{flags}]")),
        prop::sample::select(&MD5[..]).prop_map(|md5| format!("md5={md5}")),
        prop::sample::select(&SHA256[..]).prop_map(|sha256| format!("sha256={sha256}")),
    ]
}

/// MatchSpecs in the spellings that people use.
fn spec() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => Just("*".to_owned()),
        4 => prop::sample::select(owned(&NAMES)),
        4 => prop::sample::select(owned(&["*", "z*", "*z*", "?[l*", "[xz]*b", "^z.*$", "^(xz|zlib)$", "^zlib(?!-)$", "ZLIB"])),
    ];
    let positional = prop_oneof![
        2 => Just(String::new()),
        2 => constraint().prop_map(|versions| format!(" {versions}")),
        1 => prop::sample::select(owned(&["=1.2", "==1.2", "=1.2=py39_0", " 1.2 py39_*", " * h*", ">=1.2", "=1.2.*"])),
    ];
    (name, positional, prop::collection::vec(bracket(), 0..3)).prop_map(
        |(name, positional, brackets)| {
            if brackets.is_empty() {
                format!("{name}{positional}")
            } else {
                format!("{name}{positional}[{}]", brackets.join(", "))
            }
        },
    )
}

fn parsed(spec: &str) -> Option<MatchSpec> {
    let options = ParseMatchSpecOptions::lenient()
        .with_exact_names_only(false)
        .with_flags(true);
    MatchSpec::from_str(spec, options).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_spec_selects_what_rattler_matches(
        (name, fields) in record(),
        junk in any::<bool>(),
        spec in spec(),
    ) {
        // rattler refuses a whole record for one odd field; to us the field is absent.
        let (mut given, mut sound) = (Map::new(), Map::new());
        if junk {
            given.insert("unknown".to_owned(), json!({"deep": [[1, "x"], null]}));
        }
        for (key, field) in fields {
            match field {
                Field::Sound(value) => {
                    given.insert(key.to_owned(), value.clone());
                    sound.insert(key.to_owned(), value);
                }
                Field::Odd(value) => {
                    given.insert(key.to_owned(), value);
                }
                Field::Absent => {}
            }
        }
        let numbered = sound.contains_key("build_number");
        sound.entry("build_number").or_insert(json!(0));
        let ours = sample(&name, &Value::Object(given));
        let theirs: PackageRecord =
            serde_json::from_slice(&sample(&name, &Value::Object(sound)).json).unwrap();

        let expected = parsed(&spec).map(|parsed| {
            parsed.matches(&theirs) && (numbered || parsed.build_number.is_none())
        });
        match (Selection::new(&packages(&[&spec]), NOW_MS), expected) {
            (Ok(selection), Some(expected)) => {
                let choice = selection.judge(&ours.record, &ours.json, None);
                prop_assert_eq!(choice == Choice::Selected, expected);
                let exclude = Filters { excluded: vec![spec.clone()], ..Filters::default() };
                prop_assert_eq!(select(&exclude).excludes(&ours.record, &ours.json), expected);
            }
            (Err(_), None) => {}
            (Err(error), Some(_)) => {
                let message = error.to_string();
                prop_assert!(message.contains("multiple values"), "{}", message);
            }
            (Ok(_), None) => prop_assert!(false, "accepted what rattler refuses"),
        }
    }

}

proptest! {
    #[test]
    fn a_version_after_an_at_is_an_equality(
        version in "([1-3]!)?[0-3](\\.[0-3a]){0,3}(\\+[01])?",
        of_file in prop::sample::select(&VERSIONS[..]),
        name in prop::sample::select(vec!["zlib", "z*", "*"]),
    ) {
        let file = file(&format!("zlib-{of_file}-0.conda"));
        let (short, long) = (format!("{name}@{version}"), format!("{name} =={version}"));
        prop_assert_eq!(selects(&short, &file), selects(&long, &file));
        prop_assert_eq!(
            selects(&format!("zlib@{of_file}"), &file),
            selects(&format!("zlib@{of_file}.0.0"), &file)
        );
    }

    #[test]
    fn what_is_excluded_wins_over_everything(
        (name, fields) in record(),
        chosen in prop::collection::vec(spec(), 0..3),
        excluded in prop::collection::vec(spec(), 1..4),
        listed in any::<bool>(),
    ) {
        let fields = fields.into_iter().filter_map(|(key, field)| match field {
            Field::Sound(value) | Field::Odd(value) => Some((key.to_owned(), value)),
            Field::Absent => None,
        });
        let file = sample(&name, &Value::Object(fields.collect()));
        let is_sound = |spec: &String| Selection::new(&packages(&[spec]), NOW_MS).is_ok();
        let excluded: Vec<String> = excluded.into_iter().filter(is_sound).collect();
        let chosen: Vec<String> = chosen.into_iter().filter(is_sound).collect();
        let is_excluded = excluded.iter().any(|spec| selects(spec, &file));
        let is_chosen = chosen.is_empty() || chosen.iter().any(|spec| selects(spec, &file));
        let filters = if listed {
            Filters { packages: chosen, undistributable: excluded, ..Filters::default() }
        } else {
            Filters { packages: chosen, excluded, ..Filters::default() }
        };
        let expected = match (is_excluded, is_chosen) {
            (true, _) => Choice::Excluded,
            (false, true) => Choice::Selected,
            (false, false) => Choice::Unselected,
        };
        prop_assert_eq!(judge(&filters, &file), expected);
        prop_assert_eq!(select(&filters).excludes(&file.record, &file.json), is_excluded);
    }
}
