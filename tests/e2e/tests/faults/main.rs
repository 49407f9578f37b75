//! What goes wrong at the channel and at the registry: what passes by itself is waited out, what does not fails alone.
#![allow(clippy::unwrap_used)]

mod blobs;
mod content;
mod downloads;
mod indexes;
mod patience;
mod refusals;
mod support;
