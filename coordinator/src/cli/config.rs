//! The configuration file: several mirrors with their selections, in TOML.
//!
//! Its keys are the long names of the command line's options, so that neither can know one that the other does not.
//! Paths in it are relative to the file, because cron starts nothing where people wrote it.

mod paths;
mod refusal;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::mirror::MirrorArgs;
use super::shown;

pub(super) use paths::{oci_folder, refuse_tilde};

/// The largest file read, in bytes: hundreds of mirrors fit.
const MAX_BYTES: u64 = 4 << 20;

/// A mirror of a file, its defaults and paths filled in.
#[derive(Debug)]
pub(super) struct Entry {
    pub mirror: MirrorArgs,
    /// Its channel as the file has it.
    pub channel: String,
}

impl Entry {
    /// What messages call it.
    pub(super) fn shown(&self) -> String {
        shown(self.mirror.name.as_deref().unwrap_or(&self.channel))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What holds for every mirror that does not say otherwise.
    #[serde(default)]
    defaults: MirrorArgs,
    #[serde(default, deserialize_with = "several")]
    mirror: Vec<MirrorArgs>,
}

/// The mirrors of the file at `path`.
///
/// # Errors
/// When it cannot be read or understood; the text says where in it.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let shown = path.display();
    let context = || format!("cannot read the configuration {shown} (--config)");
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(context)?;
    // Its length says nothing of a pipe or a device.
    let mut limited = file.take(MAX_BYTES + 1);
    limited.read_to_end(&mut bytes).with_context(context)?;
    anyhow::ensure!(
        bytes.len() as u64 <= MAX_BYTES,
        "the configuration {shown} has more than {MAX_BYTES} bytes, which no list of mirrors needs"
    );
    let text = String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("the configuration {shown} is no text in UTF-8"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    mirrors(&text, folder).with_context(|| format!("the configuration {shown}"))
}

fn mirrors(text: &str, folder: &Path) -> anyhow::Result<Vec<Entry>> {
    let Config { defaults, mirror } =
        toml::from_str(text).map_err(|error| refusal::refusal(text, &error))?;
    anyhow::ensure!(
        defaults.channel.is_none() && defaults.rename.is_none() && defaults.name.is_none(),
        "`channel`, `as` and `name` belong into a [[mirror]], not into [defaults]"
    );
    anyhow::ensure!(
        defaults.report.is_none() || mirror.len() < 2,
        "`report` in [defaults] is one file for several mirrors, and the last one would be left of them; give each \
         [[mirror]] its own"
    );
    anyhow::ensure!(
        !mirror.is_empty(),
        "it has no [[mirror]]; each one needs at least a channel and a registry"
    );
    let mut names = BTreeSet::new();
    let mut entries = Vec::with_capacity(mirror.len());
    for (at, mirror) in mirror.into_iter().enumerate() {
        let number = at + 1;
        let mirror = mirror.over(defaults.clone());
        let channel = mirror.channel.clone();
        let channel =
            channel.with_context(|| format!("[[mirror]] number {number} has no channel"))?;
        anyhow::ensure!(
            mirror.registry.is_none() || mirror.user.is_none(),
            "[[mirror]] number {number} has both registry and user, which is short for a registry; keep one"
        );
        if let Some(name) = &mirror.name {
            anyhow::ensure!(
                names.insert(name.clone()),
                "two mirrors have the name `{}`; give each its own",
                shown(name)
            );
        }
        let named = shown(mirror.name.as_deref().unwrap_or(&channel));
        let mirror = paths::beside(mirror, folder).with_context(|| format!("mirror `{named}`"))?;
        entries.push(Entry { mirror, channel });
    }
    Ok(entries)
}

/// `[[mirror]]`, and not `[mirror]`.
fn several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<MirrorArgs>, D::Error> {
    struct Several;
    impl<'de> Visitor<'de> for Several {
        type Value = Vec<MirrorArgs>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("tables that begin with [[mirror]]")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut tables: A) -> Result<Self::Value, A::Error> {
            let mut mirrors = Vec::new();
            while let Some(mirror) = tables.next_element()? {
                mirrors.push(mirror);
            }
            Ok(mirrors)
        }

        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(Error::custom(
                "there may be several mirrors: write [[mirror]] instead of [mirror]",
            ))
        }
    }
    deserializer.deserialize_any(Several)
}

#[cfg(test)]
mod tests;
