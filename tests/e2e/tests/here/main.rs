//! What goes wrong on this machine: full disks, folders that cannot be written, ledgers that cannot be used, too few
//! file descriptors. The run says which file, why, and what to do; it never panics, publishes nothing wrong, and the
//! same command completes once the trouble is over.
#![allow(clippy::unwrap_used)]

mod descriptors;
mod full_disks;
mod ledgers;
mod numbers;
mod read_only;
mod support;
