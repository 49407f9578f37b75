//! What the tests and the benchmark stand on: channels, servers with faults, and judges. It depends on none of the
//! product's crates, so that what it says about a mirror is said by an independent witness.

mod accept;
pub mod calm;
pub mod channel;
pub mod collector;
pub mod fake_channel;
pub mod fake_registry;
pub mod forward_proxy;
pub mod judge;
pub mod package;
pub mod process;
pub mod servers;
pub mod tls;
