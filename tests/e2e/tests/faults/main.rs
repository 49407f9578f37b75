//! What goes wrong at the channel and at the registry: what passes by itself is waited out, what does not fails alone.
#![allow(clippy::unwrap_used)]

mod blobs;
mod content;
mod downloads;
mod indexes;
mod packages;
mod packages_raw;
mod packages_support;
mod patience;
mod refusals;
mod registry_answers;
mod registry_latest;
mod registry_reach;
mod repodata;
mod repodata_forms;
mod support;
mod unverified;
mod upstream;
