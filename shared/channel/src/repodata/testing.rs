//! Repodata to test with: the shapes of real channels, made up.
#![allow(clippy::unwrap_used)]

mod document;

use std::io::{self, Read};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

pub(crate) use document::{any_document, tight};

/// A record that agrees with the file name `name-version-build`.
pub(crate) fn record(name: &str, version: &str, build: &str, extra: Value) -> Value {
    let mut record = json!({
        "build": build, "build_number": 0, "depends": ["python >=3.12,<3.13.0a0", "libé"], "license": "MIT",
        "name": name, "sha256": "ab".repeat(32), "md5": "01".repeat(16), "size": 1234, "subdir": "linux-64",
        "timestamp": 1_700_000_000_123_u64, "version": version,
    });
    record
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    record
}

/// An index with every kind of section, several names in each, and keys that nobody knows.
pub(crate) fn sample() -> Value {
    json!({
        "info": {
            "subdir": "linux-64", "base_url": "https://upstream.test/linux-64/", "unknown": {"b": 1, "a": [2]},
            "repodata_revisions": {
                "v3": {"message": "new", "n_packages": 99, "oldest": 1, "newest": 2},
                "v0": {"n_packages": 99},
                "v7": {"n_packages": 7},
            },
            "channel_relations": {"base": "../conda-forge"},
        },
        "packages": {
            "zlib-1.2-h_0.tar.bz2": record("zlib", "1.2", "h_0", json!({"timestamp": 1_500_000_000})),
            "_libgcc-1!2.0+cu1-0.tar.bz2": record("_libgcc", "1!2.0+cu1", "0", json!({"track_features": "a b"})),
        },
        "packages.conda": {
            "zlib-1.2-h_0.conda": record("zlib", "1.2", "h_0", json!({"constrains": ["x"], "arch": null})),
            "zlib-1.3-h_0.conda": record("zlib", "1.3", "h_0", json!({"sha256": null})),
            "Pillow-9-py_0.conda": record("pillow", "9", "py_0", json!({"noarch": "python"})),
        },
        "removed": ["gone-1-0.tar.bz2"],
        "repodata_version": 1,
        "v3": {
            "conda": {
                "zlib-2.0-0": record("zlib", "2.0", "0", json!({"timestamp": 1_800_000_000_000_u64})),
                "new-1-0": record("new", "1", "0", json!({"extra_depends": {"gpu": ["cuda"]}})),
            },
            "tar.bz2": {"new-1-0": record("new", "1", "0", json!({"timestamp": 1_600_000_000}))},
            "whl": {"wheel-1-0": record("wheel", "1", "0", json!({"url": "wheel-1-0.whl"}))},
        },
        "zzz unknown": {"deep": [{"er": "}{][\\\""}]},
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
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

fn any_section(extension: &'static str) -> impl Strategy<Value = Value> {
    let part = || {
        (
            "[a-z_]{1,4}(-[a-z]{1,3})?",
            "[0-9]{1,2}(![0-9])?(\\+[a-z])?",
            "[a-z0-9_]{1,4}",
            any_value(),
        )
    };
    prop::collection::vec(part(), 0..6).prop_map(move |records| {
        let members = records.into_iter().map(|(name, version, build, value)| {
            let key = format!("{name}-{version}-{build}{extension}");
            (key, record(&name, &version, &build, json!({"x": value})))
        });
        Value::Object(members.collect())
    })
}

/// Any repodata of the right shape, with any values in the places that are not ours.
pub(crate) fn any_repodata() -> impl Strategy<Value = Value> {
    let v3 = prop::option::of((
        any_section(""),
        any_section(""),
        any_section(""),
        any_value(),
    ));
    let sections = (
        any_section(".tar.bz2"),
        prop::option::of(any_section(".conda")),
        v3,
    );
    let others = (
        prop::option::of(any_value()),
        any_value(),
        any_value(),
        prop::option::of(Just("x")),
    );
    (sections, others).prop_map(
        |((packages, conda, v3), (info, removed, unknown, base_url))| {
            let mut repodata = Map::new();
            if let Some(info) = info {
                repodata.insert(
                    "info".into(),
                    json!({"subdir": "noarch", "other": info, "base_url": base_url,
                "repodata_revisions": {"v0": {"n_packages": 5, "oldest": 3}, "legacy": {}}}),
                );
            }
            repodata.insert("packages".into(), packages);
            repodata.extend(conda.map(|conda| ("packages.conda".into(), conda)));
            if let Some((conda, bz2, whl, other)) = v3 {
                let other = if other.is_object() { json!(1) } else { other };
                repodata.insert(
                    "v3".into(),
                    json!({"conda": conda, "tar.bz2": bz2, "whl": whl, "other": other}),
                );
            }
            repodata.insert("removed".into(), removed);
            repodata.insert("\"un\\known\"\n".into(), unknown);
            Value::Object(repodata)
        },
    )
}

/// JSON text of a value, pretty or compact.
pub(crate) fn text(value: &Value, pretty: bool) -> Vec<u8> {
    if pretty {
        serde_json::to_vec_pretty(value).unwrap()
    } else {
        serde_json::to_vec(value).unwrap()
    }
}

/// Reads at most so many bytes at once, and counts them.
pub(crate) struct Dribble<R> {
    pub(crate) source: R,
    pub(crate) at_once: usize,
    pub(crate) count: u64,
}

impl<R: Read> Read for Dribble<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = buf.len().min(self.at_once);
        let count = self.source.read(&mut buf[..end])?;
        self.count += count as u64;
        Ok(count)
    }
}
