//! What comes from outside, and what must hold whatever it is.
//!
//! Each module is one place where bytes of strangers are read: its function takes any bytes, has the product read them and
//! panics where a promise is broken. The fuzz targets in `fuzz/` and the property tests in `tests/` feed the same
//! functions; `docs/FUZZING.md` lists their promises.
#![allow(clippy::unwrap_used)]

pub mod challenge;
pub mod info_tar;
pub mod location;
pub mod manifest;
pub mod names;
pub mod packages;
pub mod patience;
pub mod published;
pub mod repodata;
pub mod shards;
pub mod task;
pub mod token;
pub mod wrapping;

/// A place where bytes of strangers are read.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// The fuzz target's name, and its folder in `fuzz/corpus-seeds/`.
    pub name: &'static str,
    /// Takes any bytes; panics where a promise is broken.
    pub check: fn(&[u8]),
}

/// All of them.
pub const BODIES: [Body; 13] = [
    body("challenge", challenge::check),
    body("location", location::check),
    body("token", token::check),
    body("patience", patience::check),
    body("manifest", manifest::check),
    body("repodata", repodata::check),
    body("published", published::check),
    body("shards", shards::check),
    body("conda", packages::check_conda),
    body("tar_bz2", packages::check_tar_bz2),
    body("info_tar", info_tar::check),
    body("names", names::check),
    body("task", task::check),
];

const fn body(name: &'static str, check: fn(&[u8])) -> Body {
    Body { name, check }
}

/// The body of this name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn named(name: &str) -> Body {
    let found = BODIES.into_iter().find(|body| body.name == name);
    found.expect("a body has this name")
}
