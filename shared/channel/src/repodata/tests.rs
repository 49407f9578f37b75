#![allow(clippy::unwrap_used)]
mod bounds;
mod rewriting;
mod scanning;
