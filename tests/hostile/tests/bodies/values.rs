//! JSON documents with anything in the places that are not ours, and with changes in those that are.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// Any JSON.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-1e9..1e9_f64).prop_map(Into::into),
        "[\\PC\"\\\\{}\\[\\]:,\n]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-z\"\\\\{}é]{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn odd() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "a\nb",
        "sha256:",
        "%2e%2e",
        "a-1-0.conda",
        "a-1-0.tar.bz2",
        "https://me:pw@h/",
        "oci:x/",
        "file:x/",
        "http://h/t/tk/x/",
        "https://h/?q/",
        "zzz_a",
        "A",
        "é",
    ];
    prop_oneof![
        2 => select(texts.to_vec()).prop_map(Into::into),
        1 => select(vec![json!(null), json!([]), json!({}), json!(0), json!(-1), json!(1.5), json!(u64::MAX), json!(true)]),
        1 => any_value(),
    ]
}

/// `value` with a few of its values replaced, left out or moved.
pub(crate) fn changed(value: Value) -> impl Strategy<Value = Value> {
    let change = (any::<Index>(), 0..6_u8, odd());
    prop::collection::vec(change, 0..4).prop_map(move |changes| {
        let mut value = value.clone();
        for (at, how, odd) in changes {
            let mut places = Vec::new();
            places_in(&value, String::new(), &mut places);
            if !places.is_empty() {
                let place: &String = at.get(&places);
                change_at(&mut value, place, how, odd);
            }
        }
        value
    })
}

fn places_in(value: &Value, path: String, places: &mut Vec<String>) {
    let step = |key: &str| format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                places.push(step(key));
                places_in(value, step(key), places);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                places.push(step(&at.to_string()));
                places_in(value, step(&at.to_string()), places);
            }
        }
        _ => {}
    }
}

fn change_at(value: &mut Value, place: &str, how: u8, odd: Value) {
    let (above, key) = place.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (value.pointer_mut(above), how) {
        (Some(Value::Object(members)), 0) => drop(members.remove(&key)),
        // Under another key.
        (Some(Value::Object(members)), 1) => {
            let moved = members.remove(&key).unwrap_or_default();
            let key = odd.as_str().map_or_else(|| odd.to_string(), str::to_owned);
            members.insert(key, moved);
        }
        // Beside what is there.
        (Some(Value::Object(members)), 2) => drop(members.insert("more".to_owned(), odd)),
        (Some(Value::Array(items)), 0) => items.clear(),
        (Some(Value::Array(items)), 1) => items.push(odd),
        (Some(Value::Array(items)), 2) => items.extend(items.clone()),
        _ => *value.pointer_mut(place).unwrap() = odd,
    }
}
