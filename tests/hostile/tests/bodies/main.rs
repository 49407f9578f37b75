//! The bodies of the fuzz targets as property tests: seeds and all that ever failed, random bytes, seeds that were damaged,
//! and inputs of the right shape with anything in them.
#![allow(clippy::unwrap_used)]

mod damage;
mod damaged;
mod packed;
mod random;
mod seeds;
mod shaped;
mod values;
