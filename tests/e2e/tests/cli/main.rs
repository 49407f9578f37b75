//! The command line as people and scripts meet it: what is refused and in which words, what is only planned, what is
//! selected, what is said and where, and who may push.
#![allow(clippy::unwrap_used)]

mod arguments;
mod channels;
mod dry_run;
mod login;
mod output;
mod report;
mod selection;
mod support;
mod terminal;
mod undistributable;
