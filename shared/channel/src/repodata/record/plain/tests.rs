use super::*;
use proptest::prelude::*;

/// Records, most of them sound, and texts that are one byte off.
fn texts() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-",
        "01",
        "7",
        "-12",
        "1.5",
        "1e3",
        "1e999",
        "999999999999999999",
        "9999999999999999999",
        "99999999999999999999",
        "\"\"",
        "\"a\"",
        "\"é\"",
        "\"a\\n\"",
        "\"\\ud800\"",
        "\"\t\"",
        "\"h_0\"",
        "nul",
        "\"0123456789abcdef\"",
    ])
    .prop_map(str::to_owned);
    let value = scalar.prop_recursive(9, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(("[ab]", inner), 0..3).prop_map(|members| object(&members, "")),
        ]
    });
    let key = prop::sample::select(vec![
        "name", "version", "build", "sha256", "md5", "size", "depends", "x", "é", "\\u0061",
    ])
    .prop_map(str::to_owned);
    let members = prop::collection::vec((key, value), 0..6);
    (
        members,
        "[ \n\r\t]{0,2}",
        any::<prop::sample::Index>(),
        0..8u8,
    )
        .prop_map(|(members, space, at, damage)| {
            let mut text = object(&members, &space);
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[at.index(places.len())];
            match damage {
                0 => drop(text.remove(at)),
                1 => text.insert(at, ','),
                2 => text.insert(at, '}'),
                _ => {}
            }
            text
        })
}

fn object(members: &[(String, String)], space: &str) -> String {
    let members = members
        .iter()
        .map(|(key, value)| format!("{space}\"{key}\"{space}:{space}{value}{space}"));
    format!("{{{}}}{space}", members.collect::<Vec<_>>().join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_it_accepts_is_accepted_with_the_same_result(text in texts()) {
        if let Some(fields) = fields(&text) {
            let read: Result<Fields<'_>, _> = serde_json::from_str(&text);
            prop_assert_eq!(Some(fields), read.ok(), "{}", text);
        }
    }
}

#[test]
fn records_as_they_are_take_the_shortcut() {
    let record = r#"{ "arch":null,"build":"h_0", "depends":["a >=1,<2","é"],"md5":null,"name":"zlib","size":12,
        "timestamp":1503498703870,"track_features":"", "version":"1","x":{"a":[-1,true,{}],"b":[]} } "#;
    let fields = fields(record).map(|fields| (fields.name, fields.md5, fields.size));
    assert_eq!(fields, Some((Some("zlib".into()), None, Some(12))));
}

#[test]
fn what_it_is_not_sure_of_is_left_to_the_other() {
    let keys = |count: usize, last: &str| {
        let keys = (0..count).map(|key| format!("\"k{key:02}\":0,"));
        format!("{{{}\"{last}\":0}}", keys.collect::<String>())
    };
    let nested = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for taken in [keys(KEYS - 1, "l"), nested(DEPTH as usize)] {
        assert!(fields(&taken).is_some(), "{taken}");
    }
    let deep = nested(DEPTH as usize + 1);
    // Of so many keys one that is there twice could not be told.
    for left in [keys(KEYS, "l"), keys(KEYS, "k31"), deep] {
        assert!(fields(&left).is_none(), "{left}");
    }
    for left in [
        "{}x",
        "{}{}",
        "{\u{b}}",
        "{\"x\":0\u{c}}",
        "{\"x\":1.5}",
        "{\"x\":1e3}",
        "{\"x\":[0,]}",
        "{\"x\":0,}",
        "{\"x\":-01}",
        "{\"b\":0,\"a\":0,\"b\":0}",
        "{\"\\u0061\":0}",
        "{\"x\":\"",
        "{\"x\":\"7 bytes",
        "{\"x\":\"8 bytes!",
        "{\"x",
        "{",
        "",
    ] {
        assert!(fields(left).is_none(), "{left:?}");
    }
}
