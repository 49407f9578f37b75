//! What every part of the mirror stands on: dispositions of errors, request budgets per host and
//! the patience hosts ask for, redaction of secrets, settings from options, variables and files, shutdown, the log, and fail points for crash tests.
//!
//! Nothing here knows of conda, OCI, queues or ledgers.

pub mod clock;
pub mod descriptors;
pub mod disposition;
pub mod fail_point;
pub mod host_budget;
pub mod listen;
pub mod local;
pub mod metrics;
pub mod patience;
pub mod process;
pub mod redact;
pub mod settings;
pub mod shutdown;
pub mod telemetry;

pub use disposition::{Disposed, Disposition};
pub use host_budget::{HostBudget, MemoryHostBudget, RequestKind};
pub use redact::Secret;
pub use shutdown::Shutdown;
