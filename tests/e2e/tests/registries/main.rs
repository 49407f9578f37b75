//! The registries that users have: each vendor's ways, where logins come from, real ones with tokens, passwords and TLS.
#![allow(clippy::unwrap_used)]

mod annotations;
mod logins;
mod mirrors;
mod proxies;
mod real;
mod sources;
mod support;
mod vendors;
