//! Patterns that cannot be understood.

use super::*;
use proptest::prelude::*;

#[test]
fn each_refusal_names_the_option_the_pattern_and_what_to_write_instead() {
    for (pattern, words) in [
        ("", &["--package \"\"", "is empty", "'all'"][..]),
        (" \n ", &["is empty"]),
        ("py[", &["--package \"py[\"", "no valid glob", "unclosed"]),
        ("py{a", &["no valid glob"]),
        ("zlib@", &["no version", "name@1.2.13"]),
        ("@1.2", &["no package", "'*@VERSION'"]),
        ("zlib@1..2", &["\"1..2\"", "no version", "name@1.2.*"]),
        ("zlib@1.2@3", &["\"1.2@3\"", "no version"]),
        ("zlib@1.2 h0", &["no version"]),
        ("zl,ib@1.2", &["','"]),
        ("zlib,xz", &["','", "several patterns"]),
        ("zlib(1.2)", &["'('", "MatchSpec"]),
        ("z\u{fc}lib", &["'\u{fc}'"]),
        (
            "zlib-1.2.13-h0_1.conda",
            &["file name", "\"*[fn='zlib-1.2.13-h0_1.conda']\""],
        ),
        ("zlib >=", &["no valid MatchSpec", "zlib >=1.2,<2"]),
        ("zlib >=1.2,", &["no valid MatchSpec"]),
        ("zlib =>1", &["no valid MatchSpec"]),
        ("zlib ~1", &["no valid MatchSpec"]),
        (">=1.2", &["no valid MatchSpec", "missing package name"]),
        ("*[licence=MIT]", &["\"licence\" is no key"]),
        ("*[license=MIT", &["'[' is not closed"]),
        ("*[license='MIT]", &["no valid MatchSpec", "key=value"]),
        ("*[sha256=12]", &["no valid MatchSpec", "hash"]),
        ("*[build_number=x]", &["no valid MatchSpec", "build number"]),
        ("*[build_number=18446744073709551616]", &["too large"]),
        ("*[build_number='>=99999999999999999999']", &["too large"]),
        (
            "*[license=MIT, license=BSD]",
            &["multiple values", "license"],
        ),
        ("zlib >=1[version='>=2']", &["multiple values", "version"]),
        ("^zlib* >1", &["begins with '^' and ends with '$'"]),
        ("^zlib(", &["begins with '^' and ends with '$'"]),
        ("^zlib($", &["no valid MatchSpec", "regex"]),
        ("conda-forge::zlib", &["a channel", "--channel"]),
        ("zlib[channel=conda-forge]", &["a channel", "--channel"]),
        ("zlib[subdir=linux-64]", &["a subdir", "--subdir"]),
        (
            "zlib[url='https://host/zlib-1-0.conda']",
            &["a URL", "--channel"],
        ),
        ("https://host/linux-64/zlib-1-0.conda", &["a URL", "fn="]),
        ("https://host/linux-64/", &["a URL"]),
        ("zlib:1.2", &["a namespace", "name@1.2.13"]),
        ("zlib[namespace=x]", &["a namespace"]),
        ("zlib[extras=[a,b]]", &["extras", "pattern of its own"]),
        (
            "zlib[when='python >=3']",
            &["a 'when' condition", "leave it out"],
        ),
        ("zlib >=1.2 # the good ones", &["a comment", "leave it out"]),
        ("zlib; if python", &["no valid MatchSpec"]),
    ] {
        let message = refusal(pattern);
        assert!(message.starts_with("--package \""), "{message}");
        for word in words {
            assert!(
                message.contains(word),
                "{pattern:?}: {message:?} has no {word:?}"
            );
        }
        assert!(!message.contains('\n'), "{message:?}");
    }
}

#[test]
fn the_message_says_which_list_the_pattern_stands_in() {
    let excluded = Filters {
        excluded: owned(&["ok", "b["]),
        ..Filters::default()
    };
    let error = Selection::new(&excluded, NOW_MS).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("--exclude \"b[\" is no valid glob"),
        "{error}"
    );
    let listed = Filters {
        undistributable: owned(&["mkl", ""]),
        ..Filters::default()
    };
    let error = Selection::new(&listed, NOW_MS).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the undistributable list's entry \"\" is empty"),
        "{error}"
    );
    // Also where another pattern makes it superfluous.
    assert!(Selection::new(&packages(&["all", "b["]), NOW_MS).is_err());
}

#[test]
fn a_pattern_of_any_length_is_refused_in_few_words() {
    for long in ["a".repeat(1001), format!("zlib {}", "(".repeat(100_000))] {
        let message = refusal(&long);
        assert!(message.contains("over the 1000"), "{message}");
        assert!(message.len() < 500, "{message}");
    }
    assert!(Selection::new(&packages(&[&"a".repeat(1000)]), NOW_MS).is_ok());
}

#[test]
fn deep_nesting_is_refused_before_a_parser_recurses_into_it() {
    for open in ["zlib ", "zlib@", "zlib[version='", "zlib[when='"] {
        let nested = |depth| format!("{open}{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(refusal(&nested(51)).contains("over the 50"), "{open}");
        assert!(
            refusal(&format!("{open}{}", "(".repeat(400))).contains("over the 50"),
            "{open}"
        );
    }
    let deepest = format!("zlib {}1.2{}", "(".repeat(50), ")".repeat(50));
    assert!(selects(&deepest, &file("zlib-1.2-0.conda")));
    for other in ["{", "[", "[!", "^("] {
        let _ = Selection::new(&packages(&[&other.repeat(300)]), NOW_MS);
    }
    let braces = format!("{}zlib{}", "{".repeat(490), "}".repeat(490));
    let _ = Selection::new(&packages(&[&braces]), NOW_MS);
}

/// Pieces that patterns are made of, and some that break them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "zlib", "py*", "*", "^", "$", "[", "]", "{", "}", "(", ")", "'", "\"", "\\", "@", "::", ":", "/", "#", ";", ",",
            "|", ">=", "<", "==", "=", "!=", "~=", " ", "1.2", "1.2.*", "1!2", "+cu", "-", "_", "..", ".", "!", "version=",
            "build=", "build_number=", "md5=", "sha256=", "fn=", "url=", "license=", "channel=", "flags=[", "extras=[",
            "when=", "track_features=", "18446744073709551616", "https://h/", "linux-64", "; if ", "\n", "\u{e9}",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,3}",
    ]
}

proptest! {
    #[test]
    fn no_text_panics_and_no_refusal_has_two_lines(pieces in prop::collection::vec(piece(), 0..12)) {
        let text = pieces.concat();
        let zlib = sample("zlib-1.2-0.conda", &json!({"license": "MIT"}));
        match Selection::new(&packages(&[&text]), NOW_MS) {
            Ok(selection) => {
                prop_assert_ne!(selection.judge(&zlib.record, &zlib.json, None), Choice::Excluded);
            }
            Err(error) => {
                let message = error.to_string();
                prop_assert!(!message.contains(char::is_control), "{:?}", message);
                prop_assert!(message.len() < 2000, "{:?}", message);
            }
        }
        if let Err(error) = text.parse::<NewerThan>() {
            prop_assert!(!error.to_string().contains(char::is_control), "{:?}", error.to_string());
        }
    }
}
