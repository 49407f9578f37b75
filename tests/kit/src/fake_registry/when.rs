//! Which requests a scripted fault meets.

use super::log::Kind;
use super::route::Route;

/// Which requests a fault meets. Starts with all requests, each call narrows.
/// Requests that are about to be answered 401 count as well.
#[derive(Clone, Debug)]
pub struct When {
    kinds: Option<Vec<Kind>>,
    repository: Option<String>,
    repository_end: Option<String>,
    reference: Option<String>,
    first: u64,
    last: u64,
}

impl When {
    /// Every request.
    #[must_use]
    pub fn any() -> Self {
        Self {
            kinds: None,
            repository: None,
            repository_end: None,
            reference: None,
            first: 1,
            last: u64::MAX,
        }
    }

    /// Requests of one kind.
    #[must_use]
    pub fn kind(kind: Kind) -> Self {
        Self::kinds([kind])
    }

    /// Requests of some kinds.
    #[must_use]
    pub fn kinds(kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self {
            kinds: Some(kinds.into_iter().collect()),
            ..Self::any()
        }
    }

    /// Every request that writes.
    #[must_use]
    pub fn writes() -> Self {
        Self::kinds([
            Kind::UploadPost,
            Kind::Mount,
            Kind::UploadPatch,
            Kind::UploadPut,
            Kind::UploadDelete,
            Kind::BlobDelete,
            Kind::ManifestPut,
            Kind::ManifestDelete,
        ])
    }

    /// Only in this repository.
    #[must_use]
    pub fn repository(mut self, name: impl Into<String>) -> Self {
        self.repository = Some(name.into());
        self
    }

    /// Only in repositories whose name ends so, `/zlib` for instance.
    #[must_use]
    pub fn repository_ending(mut self, end: impl Into<String>) -> Self {
        self.repository_end = Some(end.into());
        self
    }

    /// Only for this tag, digest or upload session.
    #[must_use]
    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// Of the requests described so far only the `n`th, counted from 1.
    #[must_use]
    pub fn nth(mut self, n: u64) -> Self {
        (self.first, self.last) = (n, n);
        self
    }

    /// Of the requests described so far only the first `n`.
    #[must_use]
    pub fn first(mut self, n: u64) -> Self {
        (self.first, self.last) = (1, n);
        self
    }

    /// Of the requests described so far the `n`th, counted from 1, and all
    /// later ones.
    #[must_use]
    pub fn from_nth(mut self, n: u64) -> Self {
        (self.first, self.last) = (n, u64::MAX);
        self
    }

    /// Whether `n` (counted from 1) of the requests described is met.
    pub(super) fn meets(&self, n: u64) -> bool {
        (self.first..=self.last).contains(&n)
    }

    pub(super) fn describes(&self, route: &Route) -> bool {
        self.kinds
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&route.kind))
            && self
                .repository
                .as_ref()
                .is_none_or(|name| *name == route.repository)
            && self
                .repository_end
                .as_ref()
                .is_none_or(|end| route.repository.ends_with(end))
            && self
                .reference
                .as_ref()
                .is_none_or(|reference| *reference == route.reference)
    }
}
