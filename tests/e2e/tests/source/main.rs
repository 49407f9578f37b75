//! A mirror as the source of another: registry to registry, through a folder, within one registry, and damaged ones.
#![allow(clippy::unwrap_used)]

mod cluster;
mod copies;
mod damaged;
mod foreign;
mod killed;
mod mounts;
#[path = "../publication/predecessor.rs"]
#[allow(dead_code, reason = "shared with the tests of publications")]
mod predecessor;
mod pulled;
mod support;
