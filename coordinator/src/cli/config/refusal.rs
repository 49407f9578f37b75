//! What the parser of a configuration file says, fit to be shown: with line and key, and without any value, because a
//! password may stand in the wrong place.

use clap::{Args as _, Command};

use crate::cli::mirror::MirrorArgs;
use crate::cli::run::RunArgs;
use crate::cli::shown;

/// Where the file is wrong, and what is expected there.
pub(super) fn refusal(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let message = error.message().replace('\n', ", ");
    let unknown = unknown_key(&message);
    let Some(span) = error.span() else {
        return anyhow::anyhow!("{}", unknown.unwrap_or_else(|| without_values(&message)));
    };
    let start = (0..=span.start.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let number = text[..start].matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    match (unknown, key(line)) {
        (Some(unknown), _) => anyhow::anyhow!("line {number}: {unknown}"),
        (None, Some(key)) => {
            anyhow::anyhow!("line {number}: `{key}`: {}", without_values(&message))
        }
        (None, None) => anyhow::anyhow!("line {number}: {}", without_values(&message)),
    }
}

/// The known key that a line gives.
fn key(line: &str) -> Option<String> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim().trim_matches(['"', '\'']);
    mirror_keys().into_iter().find(|known| known == key)
}

/// The keys of a mirror: the long names of its options, and its name.
fn mirror_keys() -> Vec<String> {
    let mut keys = long(&MirrorArgs::augment_args(Command::new("")));
    keys.push("name".to_owned());
    keys
}

fn long(command: &Command) -> Vec<String> {
    let arguments = command.get_arguments();
    arguments
        .filter_map(|argument| argument.get_long().map(str::to_owned))
        .collect()
}

/// serde's complaint about a key, with the nearest one that there is instead of all of them.
fn unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, expected) = rest.rsplit_once("`, expected ")?;
    let said = shown(key);
    if long(&RunArgs::augment_args(Command::new(""))).contains(&key.to_owned()) {
        return Some(format!(
            "`{said}` is an option of the command line only; give it there as --{said}"
        ));
    }
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let nearest = known
        .iter()
        .map(|known| (distance(key, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 2 && *distance * 3 <= key.len());
    Some(match nearest {
        Some((_, nearest)) => format!("unknown key `{said}`; did you mean `{nearest}`?"),
        None if known.len() < 5 => format!("unknown key `{said}`, expected {expected}"),
        None => format!(
            "unknown key `{said}`; keys are the long names of the options that `conda-oci mirror --help` shows"
        ),
    })
}

/// How many letters have to be put in, left out or exchanged to make one of the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in to.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// serde repeats the text that it did not expect: `invalid type: string "…", expected …`.
fn without_values(message: &str) -> String {
    let Some((before, rest)) = message.split_once("string \"") else {
        return shown_key(message);
    };
    let mut escaped = false;
    let end = rest.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let after = end.map_or("", |end| &rest[end + 1..]);
    format!("{before}text{after}")
}

/// A message that names a key may name any: `duplicate key`.
fn shown_key(message: &str) -> String {
    match message.contains('@') {
        true => shown(message),
        false => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_gets_the_nearest_one() {
        for (key, says) in [
            ("packages", "did you mean `package`?"),
            ("newer_than", "did you mean `newer-than`?"),
            ("dry-run", "of the command line only"),
            ("platforms", "--help"),
            ("a b", "--help"),
            ("me:hunter2@x", "`…@x`"),
        ] {
            let expected: Vec<_> = mirror_keys().iter().map(|key| format!("`{key}`")).collect();
            let message = format!(
                "unknown field `{key}`, expected one of {}",
                expected.join(", ")
            );
            let said = unknown_key(&message).expect("it is one");
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn values_are_cut_out_of_messages() {
        let message = r#"invalid type: string "hun\"ter2", expected a size such as "500MB""#;
        assert_eq!(
            without_values(message),
            r#"invalid type: text, expected a size such as "500MB""#
        );
        assert_eq!(without_values("unclosed string"), "unclosed string");
    }

    #[test]
    fn distance_counts_letters() {
        for (from, to, letters) in [
            ("", "ab", 2),
            ("ab", "ab", 0),
            ("state", "sate", 1),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(from, to), letters, "{from} {to}");
        }
    }
}
