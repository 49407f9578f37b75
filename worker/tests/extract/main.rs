//! What is taken out of packages, honest ones and others.
#![allow(clippy::unwrap_used)]

mod bombs;
mod formats;
mod golden;
mod make;
mod refusals;
