//! The record of a package, from its own `info/index.json`: what `conda index` would write.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use mirror_channel::name::FileName;
use mirror_oci::{Body, Digest};
use mirror_worker::extract::{ExtractError, InfoLimits, extract};
use serde_json::value::{RawValue, to_raw_value};

use super::scan::Package;
use crate::local::{Local, Unusable};

/// Fields that `conda index` leaves out.
const LEFT_OUT: [&str; 10] = [
    "arch",
    "binstar",
    "has_prefix",
    "machine",
    "mtime",
    "operatingsystem",
    "platform",
    "requires_features",
    "target-triplet",
    "ucs",
];

/// Why a package has no record.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRecord {
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error("info/index.json is not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "its name says {field} `{named}`, its info/index.json says `{own}`; a package goes by the name of its file, so one of \
         the two is wrong"
    )]
    Disagrees {
        field: &'static str,
        named: String,
        own: String,
    },
    #[error("info/index.json has no {0}")]
    Lacks(&'static str),
    #[error("{0}")]
    Unusable(#[from] Unusable),
}

/// Reads the record out of a package. Blocks.
pub(super) fn record(
    package: &Package,
    subdir: &str,
    limits: &InfoLimits,
    spool: &Path,
) -> Result<Local, NoRecord> {
    let file = File::open(&package.path)?;
    let info = extract(file, package.file.archive(), subdir, limits, spool)?;
    let index = match &info.index.body {
        Body::Memory(bytes) => bytes.to_vec(),
        // An index.json is small enough to be in memory, always.
        _ => return Err(NoRecord::Lacks("content")),
    };
    let json = of_index(&index, package, subdir)?;
    Ok(Local::parse(package.file.as_str(), json)?.1)
}

/// The record's JSON: sorted keys, the values as they stand.
fn of_index(index: &[u8], package: &Package, subdir: &str) -> Result<String, NoRecord> {
    let mut fields: BTreeMap<String, &RawValue> = serde_json::from_slice(index)?;
    agrees(&fields, &package.file, subdir)?;
    fields.retain(|field, _| !LEFT_OUT.contains(&field.as_str()));
    let md5: String = package
        .md5
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let sha256 = Digest::from_sha256(package.sha256).hex();
    let (md5, sha256) = (to_raw_value(&md5)?, to_raw_value(&sha256)?);
    let size = to_raw_value(&package.size)?;
    fields.insert("md5".to_owned(), &md5);
    fields.insert("sha256".to_owned(), &sha256);
    fields.insert("size".to_owned(), &size);
    Ok(serde_json::to_string(&fields)?)
}

/// Whether the package says of itself what its place and the name of its file say.
fn agrees(
    fields: &BTreeMap<String, &RawValue>,
    file: &FileName,
    subdir: &str,
) -> Result<(), NoRecord> {
    for (field, named) in [
        ("name", file.name()),
        ("version", file.version()),
        ("build", file.build()),
        ("subdir", subdir),
    ] {
        let raw = fields.get(field).ok_or(NoRecord::Lacks(field))?;
        let own: Option<String> = serde_json::from_str(raw.get()).ok();
        // Names are compared as clients do.
        let same = |own: &str| own == named || (field == "name" && own.eq_ignore_ascii_case(named));
        if !own.as_deref().is_some_and(same) {
            let own: String = raw
                .get()
                .trim_matches('"')
                .escape_debug()
                .take(100)
                .collect();
            let named = named.to_owned();
            return Err(NoRecord::Disagrees { field, named, own });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn package(file: &str) -> Package {
        Package {
            path: file.into(),
            file: file.parse().unwrap(),
            sha256: [0xab; 32],
            md5: [0xcd; 16],
            size: 99,
        }
    }

    fn of(index: &str) -> Result<String, NoRecord> {
        of_index(index.as_bytes(), &package("a-1.0-h_0.conda"), "linux-64")
    }

    #[test]
    fn the_record_is_the_index_json_with_hashes_and_size_and_without_what_conda_index_leaves_out() {
        let index = r#"{"version": "1.0", "arch": "x86_64", "platform": "linux", "name": "a", "build": "h_0", "build_number": 0,
            "subdir": "linux-64", "depends": ["b >=1"], "own": {"x": 1.50}, "md5": "stale"}"#;
        let expected = format!(
            r#"{{"build":"h_0","build_number":0,"depends":["b >=1"],"md5":"{}","name":"a","own":{{"x": 1.50}},"sha256":"{}","size":99,"subdir":"linux-64","version":"1.0"}}"#,
            "cd".repeat(16),
            "ab".repeat(32)
        );
        assert_eq!(of(index).unwrap(), expected);
    }

    #[test]
    fn a_package_that_says_otherwise_than_its_name_is_refused_with_both() {
        let right = [
            ("name", r#""a""#),
            ("version", r#""1.0""#),
            ("build", r#""h_0""#),
            ("subdir", r#""linux-64""#),
        ];
        let with = |field: &str, value: &str| {
            let fields = right.iter().map(|(name, given)| {
                let given = if *name == field { value } else { given };
                format!("\"{name}\":{given}")
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        };
        of(&with("", "")).unwrap();
        for (field, _) in right {
            let said = of(&with(field, r#""other""#)).unwrap_err().to_string();
            assert!(said.contains(field) && said.contains("`other`"), "{said}");
            assert!(of(&with(field, "7")).is_err(), "{field}");
        }
        assert!(of("[]").is_err());
    }
}
