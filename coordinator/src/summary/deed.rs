//! What a run does with files, in the words of its command.

/// The command whose run is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Deed {
    #[default]
    Mirror,
    PullCache,
    PushCache,
}

impl Deed {
    /// What its files were when it was done.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Mirror => "mirrored",
            Self::PullCache => "pulled",
            Self::PushCache => "pushed",
        }
    }
}
