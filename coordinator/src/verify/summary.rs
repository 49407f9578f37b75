//! What verifying a mirror came to, for people and for scripts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::finding::Kind;
use crate::summary::{Summary, number};

/// What a subdir is like.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct SubdirVerdict {
    pub subdir: String,
    /// Digest of the published index's manifest.
    pub index: Option<String>,
    /// Whether a program like this one published it.
    pub ours: bool,
    pub records: u64,
    pub builds: u64,
    pub shards: u64,
    /// What is wrong, by kind; after a repair, what still is.
    pub damages: BTreeMap<Kind, u64>,
    /// What is not as in the channel, by kind.
    pub differences: BTreeMap<Kind, u64>,
    /// Tags that the index does not list, and how many of them the channel archived.
    pub outside: u64,
    pub yanked: u64,
    /// What was wrong and was mended.
    pub repaired: u64,
    /// Whether an earlier run had done a part of it.
    pub resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The first of what is wrong, a line each.
    #[serde(skip)]
    pub shown: Vec<String>,
}

impl SubdirVerdict {
    pub(crate) fn wrong(&self) -> u64 {
        self.damages.values().chain(self.differences.values()).sum()
    }
}

/// What a mirror is like.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub channel: String,
    pub registry: String,
    pub deep: bool,
    /// The channel it was compared with.
    pub against: Option<String>,
    /// Whether all of it was looked at, and nothing is wrong.
    pub sound: bool,
    pub subdirs: Vec<SubdirVerdict>,
    /// What the run that repaired came to.
    pub repair: Option<Summary>,
    pub interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub seconds: f64,
}

impl Verdict {
    /// Whether something kept it from being verified.
    pub(crate) fn is_broken(&self) -> bool {
        let repair = self.repair.as_ref().is_some_and(Summary::is_broken);
        self.error.is_some() || repair || self.subdirs.iter().any(|subdir| subdir.error.is_some())
    }

    pub(crate) fn wrong(&self) -> u64 {
        self.subdirs.iter().map(SubdirVerdict::wrong).sum()
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let widths = self.subdirs.iter().map(|subdir| subdir.subdir.len());
        let width = widths.max().unwrap_or(0).max(14);
        for subdir in &self.subdirs {
            let _ = writeln!(text, "{:<width$} {}", subdir.subdir, line(subdir));
            for shown in &subdir.shown {
                let shown: Vec<_> = shown.split_whitespace().collect();
                let _ = writeln!(text, "  {}", shown.join(" "));
            }
            let more = subdir.wrong().saturating_sub(subdir.shown.len() as u64);
            if more > 0 {
                let _ = writeln!(text, "  and {more} more; --report FILE names all");
            }
        }
        let repaired: u64 = self.subdirs.iter().map(|subdir| subdir.repaired).sum();
        if repaired > 0 {
            let _ = writeln!(text, "{} mended", number(repaired, "damage"));
        }
        let end = match (self.wrong(), self.interrupted, self.is_broken()) {
            (_, true, _) => "interrupted; the same command goes on".to_owned(),
            (0, _, true) => "not all of it could be verified".to_owned(),
            (0, _, false) => match self.deep {
                true => "all is right, to the byte".to_owned(),
                false => "all is right".to_owned(),
            },
            (wrong, ..) => {
                let remedy = match self.repair.is_some() {
                    true => "",
                    false => "; --repair mends what is damaged",
                };
                match wrong {
                    1 => format!("1 thing is wrong{remedy}"),
                    wrong => format!("{wrong} things are wrong{remedy}"),
                }
            }
        };
        let _ = writeln!(text, "{end}");
        text
    }
}

fn line(subdir: &SubdirVerdict) -> String {
    if let Some(error) = &subdir.error {
        return format!("not verified: {error}");
    }
    let mut line = format!(
        "{} of {}, {}",
        number(subdir.records, "record"),
        number(subdir.builds, "build"),
        number(subdir.shards, "shard")
    );
    match subdir.wrong() {
        0 => line.push_str(": all right"),
        wrong => {
            let _ = write!(line, ": {wrong} wrong");
        }
    }
    if subdir.outside > 0 {
        let _ = write!(
            line,
            "; {} outside the index",
            number(subdir.outside, "tag")
        );
        if subdir.yanked > 0 {
            let _ = write!(line, ", {} of them yanked", subdir.yanked);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(damages: &[(Kind, u64)], shown: &[&str]) -> Verdict {
        Verdict {
            subdirs: vec![SubdirVerdict {
                subdir: "noarch".to_owned(),
                records: 3,
                builds: 2,
                shards: 1,
                damages: damages.iter().copied().collect(),
                outside: 2,
                yanked: 1,
                shown: shown.iter().map(|line| (*line).to_owned()).collect(),
                ..SubdirVerdict::default()
            }],
            ..Verdict::default()
        }
    }

    #[test]
    fn what_is_right_takes_a_line_a_subdir_and_what_is_wrong_is_named() {
        assert_eq!(
            verdict(&[], &[]).text(),
            "noarch         3 records of 2 builds, 1 shard: all right; 2 tags outside the index, 1 of them yanked\n\
             all is right\n"
        );
        let wrong = verdict(
            &[(Kind::BlobMissing, 2)],
            &["a-1-0.conda: gone\nfrom there"],
        );
        assert_eq!(
            wrong.text(),
            "noarch         3 records of 2 builds, 1 shard: 2 wrong; 2 tags outside the index, 1 of them yanked\n  \
             a-1-0.conda: gone from there\n  and 1 more; --report FILE names all\n\
             2 things are wrong; --repair mends what is damaged\n"
        );
    }
}
