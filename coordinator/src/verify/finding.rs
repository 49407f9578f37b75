//! What verifying found: one thing that is not as it should be, or that is worth a word.

use serde::{Deserialize, Serialize};

/// What sort of thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Nothing is published where something should be.
    IndexMissing,
    /// What is published is no index, or cannot be read as one.
    IndexUnreadable,
    /// The published index lacks one of its forms.
    IndexIncomplete,
    /// `repodata.json.zst` holds something else than `repodata.json`.
    ZstDiffers,
    /// A package name without its shard.
    ShardMissing,
    /// A shard that says something else than the index.
    ShardDiffers,
    /// The shard index lists a name that the index has no record of.
    ShardUnknown,
    /// The index has a record that clients cannot use.
    BadRecord,
    /// The index lists a file whose name has no spelling in OCI.
    Unrepresentable,
    /// No manifest at the tag of a file that the index lists.
    ManifestMissing,
    /// Something is at the tag, and no manifest of a package.
    ManifestUnreadable,
    /// The manifest names no layer of this sort.
    LayerMissing,
    /// The layer is of another file than the index lists.
    LayerDiffers,
    /// The layer's descriptor states another size than the index.
    SizeDiffers,
    /// A blob that a manifest names is not there.
    BlobMissing,
    /// A blob has another size than its descriptor says.
    BlobSize,
    /// The bytes of a blob are not those of its digest.
    BlobBytes,
    /// `info/index.json` is no JSON.
    InfoUnreadable,
    /// The registry gave no answer that says anything.
    Unanswered,
    /// The channel lists it, the selection names it, and the mirror does not list it.
    Missing,
    /// The channel lists another file under this name.
    Differs,
    /// The mirror lists it, and the channel no longer does.
    Gone,
    /// A tag that the index does not list.
    Outside,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    /// The mirror is not what it says it is.
    Damage,
    /// The mirror is not what the channel is.
    Difference,
    /// All is right.
    Note,
}

impl Kind {
    pub(crate) fn class(self) -> Class {
        match self {
            Self::Missing | Self::Differs | Self::Gone => Class::Difference,
            Self::Outside => Class::Note,
            _ => Class::Damage,
        }
    }
}

/// Whether it is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    Present,
    /// It was mended, and looked at again.
    Repaired,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub kind: Kind,
    /// What it is about: a file name, a part of the index, a package name, a tag.
    pub subject: String,
    /// Where it was seen, without host.
    pub repository: String,
    /// Tag or digest, where one is meant.
    pub reference: Option<String>,
    /// What is wrong, in words.
    pub cause: String,
    /// Of a tag outside the index, whether the channel archived its files; unknown without a look at the channel.
    pub yanked: Option<bool>,
    /// Of a shard, its address, to be pushed again.
    pub shard: Option<[u8; 32]>,
}

impl Finding {
    pub(crate) fn new(kind: Kind, subject: &str, repository: &str, cause: String) -> Self {
        Self {
            kind,
            subject: subject.to_owned(),
            repository: repository.to_owned(),
            reference: None,
            cause,
            yanked: None,
            shard: None,
        }
    }

    pub(crate) fn at(mut self, reference: impl ToString) -> Self {
        self.reference = Some(reference.to_string());
        self
    }
}

/// A finding as it is reported.
#[derive(Debug, Serialize)]
pub(crate) struct Reported<'a> {
    pub subdir: &'a str,
    pub class: Class,
    pub kind: Kind,
    pub subject: &'a str,
    pub repository: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    pub cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yanked: Option<bool>,
    pub standing: Standing,
}
