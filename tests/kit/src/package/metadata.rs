//! The files below `info/` that describe a package, and its record in `repodata.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{json::sorted, spec::PackageSpec};

const LICENSE: &str = include_str!("LICENSE.txt");

/// One line of `paths.json`.
pub(super) struct PathEntry {
    pub(super) path: String,
    pub(super) kind: &'static str,
    pub(super) sha256: Option<String>,
    pub(super) size: u64,
}

/// `info/index.json` as it would be with a subdir in it: what an indexer starts a record from.
pub(super) fn index_json(spec: &PackageSpec) -> Map<String, Value> {
    let mut index = Map::new();
    let mut put = |key: &str, value: Value| index.insert(key.to_owned(), value);
    put("name", json!(spec.name));
    put("version", json!(spec.version));
    put("build", json!(spec.build));
    put("build_number", json!(spec.build_number));
    put("depends", json!(spec.depends));
    put("license", json!(spec.license));
    put("subdir", json!(spec.subdir));
    if !spec.constrains.is_empty() {
        put("constrains", json!(spec.constrains));
    }
    if let Some(milliseconds) = spec.timestamp {
        put("timestamp", json!(milliseconds));
    }
    if spec.noarch {
        put("noarch", json!("generic"));
    } else if let Some((platform, "64")) = spec.subdir.split_once('-') {
        put("arch", json!("x86_64"));
        put("platform", json!(platform));
    }
    for (key, value) in &spec.index_fields {
        put(key, value.clone());
    }
    index
}

/// Every file below `info/`, by path.
pub(super) fn info_files(spec: &PackageSpec, paths: &[PathEntry]) -> BTreeMap<String, Vec<u8>> {
    let mut index = index_json(spec);
    if !spec.subdir_in_index {
        index.remove("subdir");
    }
    let listing: String = paths
        .iter()
        .map(|entry| format!("{}\n", entry.path))
        .collect();
    let mut files = BTreeMap::from([
        ("info/index.json".to_owned(), pretty(&Value::Object(index))),
        ("info/about.json".to_owned(), pretty(&about_json(spec))),
        ("info/paths.json".to_owned(), pretty(&paths_json(paths))),
        ("info/hash_input.json".to_owned(), pretty(&json!({}))),
        ("info/files".to_owned(), listing.into_bytes()),
        (
            "info/recipe/meta.yaml".to_owned(),
            meta_yaml(spec).into_bytes(),
        ),
        (
            "info/licenses/LICENSE.txt".to_owned(),
            LICENSE.as_bytes().to_vec(),
        ),
    ]);
    files.extend(spec.info_files.clone());
    files
}

fn about_json(spec: &PackageSpec) -> Value {
    let mut about = json!({
        "channels": [],
        "home": format!("https://example.invalid/{}", spec.name),
        "license": spec.license,
        "license_file": ["LICENSE.txt"],
        "summary": spec.summary,
    });
    if spec.edition > 0 {
        about["extra"] = json!({ "edition": spec.edition });
    }
    about
}

/// Version 1 of `paths.json`: <https://docs.conda.io/projects/conda-build/en/latest/resources/package-spec.html>.
fn paths_json(paths: &[PathEntry]) -> Value {
    let entry = |entry: &PathEntry| {
        let mut line = json!({
            "_path": entry.path,
            "path_type": entry.kind,
            "size_in_bytes": entry.size,
        });
        if let Some(sha256) = &entry.sha256 {
            line["sha256"] = json!(sha256);
        }
        line
    };
    json!({ "paths": paths.iter().map(entry).collect::<Vec<_>>(), "paths_version": 1 })
}

/// Quoted with JSON's rules, which are YAML's as well.
fn meta_yaml(spec: &PackageSpec) -> String {
    let mut yaml = format!(
        "package:\n  name: {}\n  version: {}\nbuild:\n  number: {}\n  string: {}\n",
        json!(spec.name),
        json!(spec.version),
        spec.build_number,
        json!(spec.build),
    );
    if spec.noarch {
        yaml.push_str("  noarch: generic\n");
    }
    if !spec.depends.is_empty() {
        yaml.push_str("requirements:\n  run:\n");
        for dependency in &spec.depends {
            yaml.push_str(&format!("    - {}\n", json!(dependency)));
        }
    }
    yaml.push_str(&format!(
        "about:\n  license: {}\n  license_file: LICENSE.txt\n  summary: {}\n",
        json!(spec.license),
        json!(spec.summary)
    ));
    yaml
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(&sorted(value)).expect("a JSON value has only string keys");
    bytes.push(b'\n');
    bytes
}
