#![allow(clippy::unwrap_used)]
use super::*;

fn parse(json: &str) -> Result<Record, RecordError> {
    Record::parse(
        Section::PackagesConda,
        "Zlib-1!1.2-h_0.conda",
        json.as_bytes(),
    )
}

const BASE: &str = r#""name":"zlib","version":"1!1.2","build":"h_0""#;

#[test]
fn takes_the_facts_and_minds_no_other_field() {
    let sha = "ab".repeat(32);
    let record = parse(&format!(
        r#"{{ {BASE}, "depends":["a >=1","b\u00e9"], "md5":"{}", "sha256":"{sha}", "size":12, "x":{{"y":[1.5,null,-3,true]}} }}"#,
        "01".repeat(16),
    ))
    .unwrap();
    assert_eq!(
        (record.sha256, record.md5, record.size),
        (Some([0xab; 32]), Some([1; 16]), Some(12))
    );
    assert_eq!(record.file.name(), "Zlib");
    let bare = parse(&format!(
        "{{{BASE}, \"sha256\": null, \"md5\": \"\", \"size\": null}}"
    ))
    .unwrap();
    assert_eq!((bare.sha256, bare.md5, bare.size), (None, None, None));
}

#[test]
fn a_record_of_another_package_is_refused() {
    for (from, to, field) in [
        ("zlib", "xz", "name"),
        ("1!1.2", "1.2", "version"),
        ("h_0", "h_1", "build"),
    ] {
        let result = parse(&format!("{{{}}}", BASE.replace(from, to)));
        assert!(
            matches!(result, Err(RecordError::Disagrees { field: f, .. }) if f == field),
            "{result:?}"
        );
    }
    let result = parse(r#"{"name":"zlib","version":"1!1.2"}"#);
    assert!(
        matches!(result, Err(RecordError::Missing { field: "build", .. })),
        "{result:?}"
    );
}

#[test]
fn a_record_that_could_not_be_published_is_refused() {
    for bad in [
        "[]",
        "7",
        "null",
        "{",
        "{\"a\" 1}",
        &format!("{{{BASE},\"x\":tru}}"),
        &format!("{{{BASE},\"x\":1e999}}"),
        &format!("{{{BASE},\"x\":\"\\ud800\"}}"),
        &format!("{{{BASE},\"x\":\"\n\"}}"),
        &format!("{{{BASE},\"size\":-1}}"),
        &format!("{{{BASE},\"size\":\"1\"}}"),
        &format!("{{{BASE},{BASE}}}"),
        &format!("{{{BASE}}} {{}}"),
    ] {
        assert!(
            matches!(parse(bad), Err(RecordError::Json { .. })),
            "{bad}: {:?}",
            parse(bad)
        );
    }
    let mut latin = format!("{{{BASE},\"x\":\"?\"}}").into_bytes();
    let at = latin.iter().position(|b| *b == b'?').unwrap();
    latin[at] = 0xe9;
    let result = Record::parse(Section::PackagesConda, "zlib-1!1.2-h_0.conda", &latin);
    assert!(
        matches!(result, Err(RecordError::Encoding { .. })),
        "{result:?}"
    );
}

#[test]
fn a_hash_must_be_one() {
    for bad in ["zz", "abc", &"ab".repeat(31), &"ab".repeat(33)] {
        let result = parse(&format!("{{{BASE},\"sha256\":\"{bad}\"}}"));
        assert!(
            matches!(
                result,
                Err(RecordError::Hash {
                    field: "sha256",
                    ..
                })
            ),
            "{result:?}"
        );
    }
}

#[test]
fn wheels_are_no_broken_records_but_have_no_place() {
    let result = Record::parse(Section::Wheel, "a-1-0", b"{}");
    assert!(
        matches!(
            result,
            Err(RecordError::NotMirrored {
                section: Section::Wheel,
                ..
            })
        ),
        "{result:?}"
    );
}

#[test]
fn an_error_does_not_repeat_a_text_of_any_length() {
    let long = "x".repeat(100_000);
    for bad in [
        format!("{{{BASE},\"size\":\"{long}\"}}"),
        format!("{{{BASE},\"md5\":\"{long}\"}}"),
        format!("{{\"name\":\"{long}\"}}"),
        format!("\"{long}\""),
    ] {
        let text = parse(&bad).unwrap_err().to_string();
        assert!(text.len() < 500, "{text}");
        assert!(text.contains("Zlib-1!1.2-h_0.conda"), "{text}");
    }
    let text = Record::parse(Section::Packages, &long, b"{}")
        .unwrap_err()
        .to_string();
    assert!(text.len() < 400, "{text}");
}

#[test]
fn a_record_with_very_many_keys_is_read_in_time_and_a_repeated_one_is_found() {
    let many: String = (0..50_000).map(|i| format!(",\"{i}\":0")).collect();
    parse(&format!("{{{BASE}{many}}}")).unwrap();
    for again in ["0", "27", "28", "29", "49999", "name"] {
        let result = parse(&format!("{{{BASE}{many},\"{again}\":0}}"));
        let Err(RecordError::Json { reason, .. }) = result else {
            panic!("{again}: {result:?}");
        };
        assert!(
            reason.contains(&format!("the key {again:?} is there twice")),
            "{reason}"
        );
    }
}
