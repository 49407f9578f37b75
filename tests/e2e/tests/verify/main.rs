//! `conda-oci verify`: damaged mirrors of every kind are found, named and mended; sound ones are said to be.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod against;
mod cluster;
mod damages;
mod folder;
mod foreign;
mod hostile;
#[path = "../publication/predecessor.rs"]
mod predecessor;
mod real;
mod resume;
mod sound;
mod support;
