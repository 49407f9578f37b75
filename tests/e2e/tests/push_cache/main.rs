//! `conda-oci push-cache`: own builds in the registry, in its index, and in every later index.
#![allow(clippy::unwrap_used)]

mod alone;
mod beside_mirrors;
mod cluster;
mod interrupted;
mod refusals;
mod removed;
mod support;
