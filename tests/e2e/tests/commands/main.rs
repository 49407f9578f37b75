//! The commands that look at runs and steer them, on one machine and on a cluster.
#![allow(clippy::unwrap_used)]

mod alone;
mod cluster;
mod support;
