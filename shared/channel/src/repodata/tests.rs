#![allow(clippy::unwrap_used)]
mod bounds;
mod model;
mod properties;
mod rewriting;
mod scanning;
mod unusable;
