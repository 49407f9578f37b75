#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn numbers_keep_their_value_and_kind() {
    let json = json!([
        0,
        1,
        -1,
        127,
        128,
        -33,
        u64::MAX,
        i64::MIN,
        1.5,
        -0.25,
        1e300,
        true,
        null
    ]);
    let mut out = Vec::new();
    value(json.to_string().as_bytes(), &mut out).unwrap();
    assert_eq!(
        rmp_serde::from_slice::<serde_json::Value>(&out).unwrap(),
        json
    );
    assert_eq!(out, rmp_serde::to_vec(&json).unwrap());
}

#[test]
fn hashes_become_binary_at_the_top_of_a_record_only() {
    let sha = "ab".repeat(32);
    let mut out = Vec::new();
    record(
        format!(r#"{{"sha256":"{sha}","md5":null,"x":{{"sha256":"{sha}"}}}}"#).as_bytes(),
        &mut out,
    )
    .unwrap();
    let mut expected = Vec::new();
    map(3, &mut expected);
    text("sha256", &mut expected);
    binary(&[0xab; 32], &mut expected);
    text("md5", &mut expected);
    rmp::encode::write_nil(&mut expected).unwrap();
    text("x", &mut expected);
    map(1, &mut expected);
    text("sha256", &mut expected);
    text(&sha, &mut expected);
    assert_eq!(out, expected);
    assert!(record(br#"{"sha256":"abcd"}"#, &mut Vec::new()).is_err());
    assert!(value(br#"{"a":1} x"#, &mut Vec::new()).is_err());
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-1e9..1e9_f64).prop_map(Into::into),
        "\\PC{0,40}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Into::into),
            prop::collection::btree_map("\\PC{0,9}", inner, 0..20)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_comes_out_as_the_reference_encoder_writes_it(json in any_json()) {
        let mut out = Vec::new();
        value(json.to_string().as_bytes(), &mut out).unwrap();
        prop_assert_eq!(out, rmp_serde::to_vec_named(&json).unwrap());
    }
}
