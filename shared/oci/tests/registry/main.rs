//! The registry client against a scripted registry: how many requests things cost, what becomes of
//! faults, and where the login goes.
#![allow(clippy::unwrap_used)]

mod blobs;
mod calm;
mod config;
mod connections;
mod elsewhere;
mod fetch;
mod login;
mod manifests;
mod patience;
mod refusals;
mod support;
mod ways;
