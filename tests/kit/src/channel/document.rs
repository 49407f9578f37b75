//! Writes the indexes of one subdir.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use serde_json::{Map, Value, json, value::RawValue};

use super::{MadeFile, Place};

/// Raw JSON by key.
type Object = BTreeMap<String, String>;

/// How the documents look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling {
    /// One record a line, for people who read a diff; else no line break at all.
    pub(super) lines: bool,
    /// Whether `repodata.json.zst` is written as well.
    pub(super) zst: bool,
    /// Whether `repodata_from_packages.json` is written even if nothing is yanked.
    pub(super) from_packages: bool,
}

/// What the index of a subdir says beside its records.
#[derive(Debug)]
pub(super) struct SubdirDocument {
    info: Map<String, Value>,
    top_level: Object,
}

impl SubdirDocument {
    pub(super) fn new(subdir: &str) -> Self {
        let info = Map::from_iter([("subdir".to_owned(), json!(subdir))]);
        let top_level = Object::from([
            ("removed".to_owned(), "[]".to_owned()),
            ("repodata_version".to_owned(), "1".to_owned()),
        ]);
        Self { info, top_level }
    }

    pub(super) fn set_info(&mut self, key: &str, value: Option<Value>) {
        match value {
            Some(value) => self.info.insert(key.to_owned(), value),
            None => self.info.remove(key),
        };
    }

    pub(super) fn set_top_level(&mut self, key: &str, raw_json: &str) {
        self.top_level.insert(key.to_owned(), raw_json.to_owned());
    }

    /// Writes every index that `spelling` asks for into `folder`.
    pub(super) fn write(
        &self,
        folder: &Path,
        files: &[&MadeFile],
        spelling: Spelling,
    ) -> anyhow::Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let listed: Vec<&MadeFile> = files.iter().copied().filter(|file| file.indexed).collect();
        let repodata = self.spell(&listed, spelling.lines)?;
        if spelling.zst {
            let packed =
                zstd::bulk::compress(repodata.as_bytes(), 9).context("compress repodata.json")?;
            replace(folder, "repodata.json.zst", &packed)?;
        }
        replace(folder, "repodata.json", repodata.as_bytes())?;
        const FROM_PACKAGES: &str = "repodata_from_packages.json";
        // Once it is there it is kept right, also when nothing is yanked any more.
        if spelling.from_packages
            || listed.len() < files.len()
            || folder.join(FROM_PACKAGES).exists()
        {
            let everything = self.spell(files, spelling.lines)?;
            replace(folder, FROM_PACKAGES, everything.as_bytes())?;
        }
        Ok(())
    }

    fn spell(&self, files: &[&MadeFile], lines: bool) -> anyhow::Result<String> {
        let mut packages = Object::new();
        let mut conda_packages = Object::new();
        let mut revision3 = BTreeMap::<&str, Object>::new();
        for file in files {
            let record = spell_object(&file.listing.fields(&file.record), None);
            let (stem, extension) = split_extension(&file.file_name)?;
            match (file.listing.place, extension) {
                (Place::Revision3, extension) => {
                    revision3
                        .entry(extension)
                        .or_default()
                        .insert(stem.to_owned(), record);
                }
                (_, "conda") => {
                    conda_packages.insert(file.file_name.clone(), record);
                }
                _ => {
                    packages.insert(file.file_name.clone(), record);
                }
            }
        }
        let mut info = self.info.clone();
        let mut document = self.top_level.clone();
        let indent = |level| lines.then_some(level);
        if !revision3.is_empty() {
            let count: usize = revision3.values().map(BTreeMap::len).sum();
            info.insert(
                "repodata_revisions".to_owned(),
                json!({ "v3": { "n_packages": count } }),
            );
            let buckets = revision3.iter().map(|(extension, bucket)| {
                ((*extension).to_owned(), spell_object(bucket, indent(2)))
            });
            document.insert("v3".to_owned(), spell_object(&buckets.collect(), indent(1)));
        }
        document.insert(
            "info".to_owned(),
            crate::package::sorted(&Value::Object(info)).to_string(),
        );
        document.insert("packages".to_owned(), spell_object(&packages, indent(1)));
        document.insert(
            "packages.conda".to_owned(),
            spell_object(&conda_packages, indent(1)),
        );
        let mut text = spell_object(&document, indent(0));
        if lines {
            text.push('\n');
        }
        serde_json::from_str::<&RawValue>(&text)
            .context("a raw field given to the channel is not JSON")?;
        Ok(text)
    }
}

/// `indent`: one entry a line, that many levels deep; `None`: all in one line.
fn spell_object(entries: &Object, indent: Option<usize>) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    let (open, between, close) = match indent {
        None => (String::new(), ",".to_owned(), String::new()),
        Some(level) => {
            let start = format!("\n{}", "  ".repeat(level + 1));
            (
                start.clone(),
                format!(",{start}"),
                format!("\n{}", "  ".repeat(level)),
            )
        }
    };
    let colon = if indent.is_some() { ": " } else { ":" };
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{}{colon}{value}", json!(key)))
        .collect();
    format!("{{{open}{}{close}}}", entries.join(&between))
}

fn split_extension(file_name: &str) -> anyhow::Result<(&str, &str)> {
    let split = |extension| {
        file_name
            .strip_suffix(extension)?
            .strip_suffix('.')
            .map(|stem| (stem, extension))
    };
    let found = ["conda", "tar.bz2", "whl"].into_iter().find_map(split);
    found.with_context(|| format!("{file_name} has no extension that an index lists"))
}

/// Replaces `<folder>/<name>` in one step.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let scratch = folder.join(format!(".{name}.part"));
    let target = folder.join(name);
    fs::write(&scratch, bytes).with_context(|| format!("write {}", scratch.display()))?;
    fs::rename(&scratch, &target)
        .with_context(|| format!("rename {} to {}", scratch.display(), target.display()))
}
