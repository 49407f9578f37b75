#![allow(clippy::unwrap_used)]
mod against_rattler;
mod bounds;
mod model;
mod properties;
mod rewriting;
mod scanning;
mod sizes;
mod unusable;
