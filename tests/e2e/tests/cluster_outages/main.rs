//! Workers elsewhere, and what goes away meanwhile: broker, Redis and registry, the ways to them, their data; packages
//! that no worker survives, registries that want patience, messages of other versions, transfers that a broker calls
//! too long. In the end every file is right byte for byte, the index exact, rattler downloads everything, nothing is
//! dead but the poison; what was finished was not downloaded again, and the logs say each outage once.
//!
//! Many of these wait for claims to expire: run them all at once (`--test-threads 32`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod both;
mod broker;
mod cuts;
mod handing_over;
mod parked;
mod poison;
mod redis;
mod registry;
mod storm;
mod support;
mod versions;
mod wire;
