//! The worker: takes one build at a time from the queue to files at the destination.
//!
//! Stateless but for its spool. What it promises: nothing is pushed whose bytes differ from the
//! channel's record; a task is acknowledged only when each file has an outcome or a copy of the task
//! is in the queue; doing a task twice, or by two workers at once, ends the same.

mod activity;
mod bring;
mod context;
pub mod defaults;
mod denials;
mod error;
pub mod extract;
mod fetch;
mod hold;
mod meanwhile;
mod mirrors;
mod mount;
mod naming;
mod overtaken;
mod own_folder;
mod pace;
pub mod presence;
mod pull;
mod renew;
mod rest;
mod service;
mod settle;
mod sink;
mod slot;
pub mod source;
mod spans;
pub mod spool;
pub mod steps;
mod sums;
mod transfer;

pub use activity::{Activity, Transferring};
pub use context::Context;
pub use error::TransferError;
pub use hold::CLAIM;
pub use mirrors::{End, Memory, Mirrors, NotServed, OneMirror, Target};
pub use own_folder::OwnFolder;
pub use service::{Options, Worker, WorkerError};
