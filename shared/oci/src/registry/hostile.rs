//! What answers of strangers are read by, for tests that feed it anything. No part of releases.

use url::Url;

use super::{blobs, challenge};

/// How many challenges `header` has that we know.
#[must_use]
pub fn challenges(header: &str) -> usize {
    challenge::parse(header).len()
}

/// Where a `Location` of a registry's answer leads, if it is followed.
///
/// # Panics
/// Never: the address of the answer is a constant.
#[must_use]
pub fn location(header: &str) -> Option<Url> {
    let answered = Url::parse("https://registry.example/v2/a/blobs/uploads/?digest=x");
    blobs::resolved(&answered.expect("a constant"), header)
}
