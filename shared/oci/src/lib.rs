//! The OCI side of the mirror: the v0 layout as pure functions, manifests, a registry client, and
//! folders of OCI image layouts.
//!
//! Knows conda's names through `mirror-channel` and nothing of queues, ledgers or plans.

pub mod annotation;
pub mod body;
pub mod destination;
pub mod digest;
pub mod folder;
pub mod index;
pub mod layout;
mod local;
pub mod manifest;
pub mod package;
pub mod registry;
pub mod spans;

pub use body::Body;
pub use destination::{Destination, DestinationError, Seen};
pub use digest::Digest;

use bytes::Bytes;
use futures::stream::BoxStream;

/// A manifest as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// What was stored.
    pub bytes: Bytes,
}

/// Whether a blob may be at the destination already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It may be: it is looked for first.
    Unknown,
    /// It is not: it is sent at once.
    Absent,
}

/// What pushing a blob came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// Its bytes were sent.
    Sent,
    /// It was there, or was mounted.
    Present,
}

/// The bytes of a blob as they arrive.
pub type BlobStream = BoxStream<'static, std::io::Result<Bytes>>;
