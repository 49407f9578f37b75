//! Which mirrors of a file an invocation is about, and what may be wrong between them.

use mirror_channel::channel::{Channel, DEFAULT_BASE};
use url::Url;

use super::config::Entry;
use super::shown;
use crate::invocation::Turn;

/// The mirrors named in `only`, all of them if none is.
///
/// # Errors
/// When there is none of some name; the text has those that there are.
pub(super) fn pick(mut entries: Vec<Entry>, only: &[String]) -> anyhow::Result<Vec<Entry>> {
    for wanted in only {
        let names: Vec<String> = entries.iter().map(Entry::shown).collect();
        anyhow::ensure!(
            entries.iter().any(|entry| is_called(entry, wanted)),
            "it has no mirror called `{}` (--only); it has {}",
            shown(wanted),
            names.join(", ")
        );
    }
    entries.retain(|entry| only.is_empty() || only.iter().any(|name| is_called(entry, name)));
    Ok(entries)
}

/// By its name, its channel as the file has it, or its name in the registry.
fn is_called(entry: &Entry, wanted: &str) -> bool {
    entry.mirror.name.as_deref() == Some(wanted)
        || entry.channel == wanted
        || mirrored_name(entry).as_deref() == Some(wanted)
}

/// None for a channel that is refused later, or cannot be found now.
fn mirrored_name(entry: &Entry) -> Option<String> {
    let mirror = &entry.mirror;
    let base = mirror.channel_base.as_deref().unwrap_or(DEFAULT_BASE);
    let base = Url::parse(base).ok()?;
    let channel = Channel::parse(mirror.channel.as_deref()?, &base, mirror.rename.as_deref());
    channel.ok().map(|channel| channel.name)
}

/// Says where two mirrors fill the same channel of the same registry and exclude different packages: what the one
/// leaves out of the index the other brings back.
pub(super) fn warn_of_contradictions(turns: &[Turn]) {
    let runs: Vec<_> = turns
        .iter()
        .filter_map(|turn| Some((turn, turn.request.as_ref().ok()?)))
        .collect();
    for (at, (turn, request)) in runs.iter().enumerate() {
        let mut excluded = request.filters.excluded.clone();
        excluded.sort();
        for (other, that) in &runs[at + 1..] {
            let mut excluded_there = that.filters.excluded.clone();
            excluded_there.sort();
            let same_place = request.options.registry.is_some()
                && request.options.registry == that.options.registry
                && request.channel.name == that.channel.name;
            if same_place && excluded != excluded_there {
                tracing::warn!(
                    "the mirrors `{}` and `{}` fill the same channel and exclude different packages: the index will \
                     change with every run; give both the same `exclude`",
                    turn.title,
                    other.title
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::mirror::MirrorArgs;

    fn entry(name: Option<&str>, channel: &str, resolved: &str, rename: Option<&str>) -> Entry {
        Entry {
            mirror: MirrorArgs {
                name: name.map(str::to_owned),
                channel: Some(resolved.to_owned()),
                rename: rename.map(str::to_owned),
                ..MirrorArgs::default()
            },
            channel: channel.to_owned(),
        }
    }

    fn picked(only: &str) -> anyhow::Result<Vec<String>> {
        let entries = vec![
            entry(Some("own"), "./channel", "./etc/channel", None),
            entry(None, "conda-forge", "conda-forge", Some("forge")),
            entry(None, "https://h.test/a/b", "https://h.test/a/b", None),
        ];
        let picked = pick(entries, &[only.to_owned()])?;
        Ok(picked.into_iter().map(|entry| entry.channel).collect())
    }

    #[test]
    fn a_mirror_answers_to_its_name_its_channel_as_written_and_its_name_in_the_registry() {
        for (only, channel) in [
            ("own", "./channel"),
            ("./channel", "./channel"),
            ("channel", "./channel"),
            ("conda-forge", "conda-forge"),
            ("forge", "conda-forge"),
            ("a/b", "https://h.test/a/b"),
        ] {
            assert_eq!(picked(only).unwrap(), [channel], "{only}");
        }
    }

    #[test]
    fn one_that_there_is_not_is_refused_with_those_that_there_are_and_without_secrets() {
        for wanted in [
            "other",
            "https://me:hunter2@h/x",
            "t/hunter2/x",
            "x?token=hunter2",
        ] {
            let said = picked(wanted).unwrap_err().to_string();
            assert!(
                said.contains("own") && said.contains("conda-forge"),
                "{said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
