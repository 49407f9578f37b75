//! Any repodata document, as text: what a JSON value cannot say (white space, escapes in keys, keys twice, an order) is
//! in it, and so are records over the [`tight`] limits.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{any_value, record};
use crate::repodata::Limits;

/// Limits that documents can go over without being large.
pub(crate) fn tight() -> Limits {
    Limits {
        max_record_bytes: 3_000,
        max_key_bytes: 200,
        max_depth: 12,
        ..Limits::default()
    }
}

/// A key (its JSON) and what is behind it.
type Member = (String, Node);

#[derive(Debug, Clone)]
enum Node {
    Object(Vec<Member>),
    /// JSON as it is.
    Text(String),
}

/// Valid JSON of repodata's shape. No white space behind it.
pub(crate) fn any_document() -> impl Strategy<Value = String> {
    let top = (
        any_records(".tar.bz2"),
        prop::option::of(any_records(".conda")),
        prop::option::of(any_revision()),
        prop::option::of((
            prop::sample::select(vec!["\"v4\"", "\"v03\""]),
            any_revision(),
        )),
        prop::option::of(any_records(".whl")),
        prop::option::of(any_info()),
        any_json(),
        any_json(),
    );
    let document = top.prop_map(
        |(packages, conda, v3, other, wheels, info, removed, unknown)| {
            let mut members = vec![
                ("\"packages\"".to_owned(), packages),
                ("\"removed\"".to_owned(), removed),
                (r#""\"un\\known\"\u000a""#.to_owned(), unknown),
            ];
            for (key, node) in [
                (r#""p\u0061ckages.conda""#, conda),
                ("\"v3\"", v3),
                ("\"packages.whl\"", wheels),
                ("\"info\"", info),
            ] {
                members.extend(node.map(|node| (key.to_owned(), node)));
            }
            members.extend(other.map(|(key, node)| (key.to_owned(), node)));
            members
        },
    );
    let spaces = prop::collection::vec(
        prop::sample::select(vec!["", "", " ", "\n", "\t\r\n  "]),
        1..20,
    );
    (
        document.prop_flat_map(|members| Just(members).prop_shuffle()),
        spaces,
    )
        .prop_map(|(members, spaces)| {
            let mut text = String::new();
            Node::Object(members).write(&mut text, &mut spaces.into_iter().cycle());
            text
        })
}

impl Node {
    fn write(&self, text: &mut String, spaces: &mut impl Iterator<Item = &'static str>) {
        let Self::Object(members) = self else {
            if let Self::Text(json) = self {
                text.push_str(json);
            }
            return;
        };
        text.push('{');
        for (position, (key, node)) in members.iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            text.extend(spaces.next());
            text.push_str(key);
            text.extend(spaces.next());
            text.push(':');
            text.extend(spaces.next());
            node.write(text, spaces);
            text.extend(spaces.next());
        }
        text.push('}');
    }
}

fn any_json() -> impl Strategy<Value = Node> {
    (any_value(), any::<bool>()).prop_map(|(value, pretty)| Node::Text(spelled(&value, pretty)))
}

fn spelled(value: &Value, pretty: bool) -> String {
    String::from_utf8(super::text(value, pretty)).unwrap()
}

fn any_info() -> impl Strategy<Value = Node> {
    let info = (
        any_value(),
        prop::option::of(Just("../pool")),
        any::<bool>(),
        any::<bool>(),
    );
    info.prop_map(|(other, base_url, revisions, pretty)| {
        let mut info = json!({"subdir": "noarch", "other": other, "base_url": base_url});
        if revisions {
            info["repodata_revisions"] =
                json!({"v0": {"n_packages": 5, "oldest": 3}, "v3": {"n_packages": 1, "x": [1.50]}});
        }
        Node::Text(spelled(&info, pretty))
    })
}

/// `v3` or a later one.
fn any_revision() -> impl Strategy<Value = Node> {
    (
        any_records(""),
        any_records(""),
        any_records(""),
        any_json(),
    )
        .prop_map(|(conda, bz2, whl, other)| {
            let buckets = [
                ("conda", conda),
                ("tar.bz2", bz2),
                ("whl", whl),
                ("other", other),
            ];
            Node::Object(
                buckets
                    .map(|(key, node)| (format!("\"{key}\""), node))
                    .into(),
            )
        })
}

/// Records, of which some are the same file again.
fn any_records(extension: &'static str) -> impl Strategy<Value = Node> {
    prop::collection::vec(any_record(extension), 0..6).prop_map(Node::Object)
}

fn any_record(extension: &'static str) -> impl Strategy<Value = Member> {
    let kind = prop_oneof![
        8 => Just(Kind::Usable),
        1 => Just(Kind::Deep),
        1 => Just(Kind::Large),
        1 => Just(Kind::LongKey),
        1 => Just(Kind::OtherType),
        1 => Just(Kind::Spaced),
    ];
    let parts = (
        "[ab_]{1,2}(-[a-z])?",
        "[0-9](![0-9])?(\\+[a-z])?",
        "[a-z0-9_]{1,2}",
    );
    (
        parts,
        any_value(),
        kind,
        13_usize..200,
        any::<(bool, bool)>(),
    )
        .prop_map(
            move |((name, version, build), value, kind, levels, (pretty, escaped))| {
                let mut extra = json!({ "x": value });
                match kind {
                    Kind::Large => extra["large"] = json!("}\"{".repeat(1_000)),
                    Kind::Deep => extra["deep"] = json!("here"),
                    _ => {}
                }
                let mut json = spelled(&record(&name, &version, &build, extra), pretty);
                if kind == Kind::Deep {
                    let deep = format!("{}1{}", "[{\"]\":".repeat(levels), "}]".repeat(levels));
                    json = json.replacen("\"here\"", &deep, 1);
                }
                if kind == Kind::OtherType {
                    json = spelled(&value, pretty);
                }
                let mut key = format!("{name}-{version}-{build}{extension}");
                if kind == Kind::LongKey {
                    key = format!("{}{key}", "é".repeat(levels + 88));
                }
                let key = if escaped && kind != Kind::LongKey {
                    let escapes: String = key
                        .chars()
                        .map(|c| format!("\\u{:04x}", c as u32))
                        .collect();
                    format!("\"{escapes}\"")
                } else {
                    json!(key).to_string()
                };
                if kind == Kind::Spaced {
                    let (before, behind) = (" ".repeat(levels * 20), "\n".repeat(levels));
                    return (
                        format!("{key}{before}"),
                        Node::Text(format!("{behind}{json}")),
                    );
                }
                (key, Node::Text(json))
            },
        )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usable,
    Deep,
    Large,
    LongKey,
    OtherType,
    /// White space before and behind the colon, too much of it or just not.
    Spaced,
}
