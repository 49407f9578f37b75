//! How builds travel from the planner to the workers: the [`Task`], the [`TaskQueue`] seam, and
//! its drivers.
//!
//! Every driver keeps the promises of the `conformance` module: a task that was published is
//! delivered until somebody acknowledges it, and a delivery that nobody settles comes back.

pub mod backoff;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod error;
mod hex_digest;
pub mod memory;
pub mod queue;
pub mod rabbitmq;
pub mod task;

pub use error::{QueueError, TaskError};
pub use memory::MemoryQueue;
pub use queue::{Delivery, Depth, Settle, TaskQueue};
pub use rabbitmq::RabbitQueue;
pub use task::{Action, BuildName, Task, TaskFile};
