//! `conda-oci verify`: damaged mirrors of every kind are found, named and mended; sound ones are said to be.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod damages;

mod support;
