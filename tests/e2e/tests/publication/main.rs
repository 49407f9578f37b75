//! What is published: exactly what is held, never less by accident, never over somebody else's head, and the same to
//! sharded clients as to others.
#![allow(clippy::unwrap_used)]

mod additive;
mod foreign;
mod meanwhile;
mod msgpack;
mod predecessor;
mod races;
mod shards;
mod shrink;
mod support;
mod unknown;
