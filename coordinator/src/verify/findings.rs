//! The findings of one subdir as they come: written to disk, counted, and turned into what a repair is to mend.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write as _};

use mirror_channel::name::FileName;
use serde::{Deserialize, Serialize};

use super::finding::{Class, Finding, Kind, Reported, Standing};
use crate::repair::Damage;

/// Findings that are kept at hand for the closing words.
const SHOWN: usize = 20;

/// All findings of a look at one subdir. In memory are a few of them, counts, and eight bytes for each damaged subject.
#[derive(Debug)]
pub(crate) struct Findings {
    drafts: BufWriter<File>,
    counts: BTreeMap<Kind, u64>,
    yanked: u64,
    shown: Vec<String>,
    damaged: HashSet<u64>,
    damage: Damage,
}

/// A finding on disk. The kind is spelled as in the report.
#[derive(Serialize, Deserialize)]
struct Draft {
    kind: Kind,
    subject: String,
    repository: String,
    reference: Option<String>,
    cause: String,
    yanked: Option<bool>,
}

impl Findings {
    /// None yet.
    ///
    /// # Errors
    /// When no temporary file can be made.
    pub(crate) fn none() -> io::Result<Self> {
        Ok(Self {
            drafts: BufWriter::new(tempfile::tempfile()?),
            counts: BTreeMap::new(),
            yanked: 0,
            shown: Vec::new(),
            damaged: HashSet::new(),
            damage: Damage::none()?,
        })
    }

    /// Adds one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn add(&mut self, finding: Finding) -> io::Result<()> {
        *self.counts.entry(finding.kind).or_default() += 1;
        self.yanked += u64::from(finding.yanked == Some(true));
        let class = finding.kind.class();
        if class != Class::Note && self.shown.len() < SHOWN {
            self.shown
                .push(format!("{}: {}", finding.subject, finding.cause));
        }
        if class == Class::Damage {
            self.damaged.insert(hash(&finding.subject));
        }
        self.mend(&finding)?;
        let draft = Draft {
            kind: finding.kind,
            subject: finding.subject,
            repository: finding.repository,
            reference: finding.reference,
            cause: finding.cause,
            yanked: finding.yanked,
        };
        serde_json::to_writer(&mut self.drafts, &draft)?;
        self.drafts.write_all(b"\n")
    }

    /// What a repair is to do about it.
    fn mend(&mut self, finding: &Finding) -> io::Result<()> {
        match finding.kind {
            Kind::ManifestMissing
            | Kind::ManifestUnreadable
            | Kind::LayerMissing
            | Kind::LayerDiffers
            | Kind::SizeDiffers
            | Kind::BlobMissing
            | Kind::BlobSize
            | Kind::BlobBytes
            | Kind::InfoUnreadable
            | Kind::Unanswered
            | Kind::Differs => match finding.subject.parse::<FileName>() {
                Ok(file) => self.damage.add(&file)?,
                // It is about a part of the index.
                Err(_) => self.damage.index = true,
            },
            Kind::IndexMissing
            | Kind::IndexUnreadable
            | Kind::IndexIncomplete
            | Kind::ZstDiffers
            | Kind::ShardMissing
            | Kind::ShardDiffers
            | Kind::ShardUnknown
            | Kind::BadRecord
            | Kind::Unrepresentable
            | Kind::Gone => self.damage.index = true,
            // Bringing what nobody mirrored yet is the business of a mirror.
            Kind::Missing | Kind::Outside => {}
        }
        self.damage.shards.extend(finding.shard);
        Ok(())
    }

    /// The numbers of one class, by kind.
    pub(crate) fn counts(&self, class: Class) -> BTreeMap<Kind, u64> {
        let of_class = self.counts.iter().filter(|(kind, _)| kind.class() == class);
        of_class.map(|(kind, count)| (*kind, *count)).collect()
    }

    /// Tags outside the index whose files the channel archived.
    pub(crate) fn yanked(&self) -> u64 {
        self.yanked
    }

    /// The first of those that are wrong, a line each.
    pub(crate) fn shown(&self) -> &[String] {
        &self.shown
    }

    /// Addresses of the damaged shards.
    pub(crate) fn shards(&self) -> &HashSet<[u8; 32]> {
        &self.damage.shards
    }

    /// What a repair is to mend. Nothing more is added after that.
    pub(crate) fn take_damage(&mut self) -> io::Result<Damage> {
        Ok(std::mem::replace(&mut self.damage, Damage::none()?))
    }

    /// Whether a subject is damaged.
    fn is_damaged(&self, subject: &str) -> bool {
        self.damaged.contains(&hash(subject))
    }

    /// Hands all of them to `report` in the order they came.
    pub(crate) fn each(
        mut self,
        mut report: impl FnMut(&Kept) -> io::Result<()>,
    ) -> io::Result<()> {
        self.drafts.flush()?;
        let mut file = self
            .drafts
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        for line in BufReader::new(file).lines() {
            let draft: Draft = serde_json::from_str(&line?)?;
            report(&Kept(draft))?;
        }
        Ok(())
    }

    /// Hands to `report` what stands after a repair: `self` is what was found before, `again` after.
    ///
    /// Gives how many were mended.
    pub(crate) fn after(
        self,
        again: Self,
        mut report: impl FnMut(&Kept, Standing) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut repaired = 0;
        self.each(|kept| match kept.0.kind.class() {
            Class::Note => report(kept, Standing::Present),
            Class::Damage if !again.is_damaged(&kept.0.subject) => {
                repaired += 1;
                report(kept, Standing::Repaired)
            }
            // It was looked for again, and is there as it is now.
            Class::Damage | Class::Difference => Ok(()),
        })?;
        again.each(|kept| report(kept, Standing::Present))?;
        Ok(repaired)
    }
}

/// A finding read back.
pub(crate) struct Kept(Draft);

impl Kept {
    pub(crate) fn reported<'a>(&'a self, subdir: &'a str, standing: Standing) -> Reported<'a> {
        Reported {
            subdir,
            class: self.0.kind.class(),
            kind: self.0.kind,
            subject: &self.0.subject,
            repository: &self.0.repository,
            reference: self.0.reference.as_deref(),
            cause: &self.0.cause,
            yanked: self.0.yanked,
            standing,
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
