//! What users set, the same way in every program: an option of the command line, an environment variable of its name, and
//! for secrets also a file.

mod environment;
mod hidden;
mod log;
pub mod units;

pub use environment::{from_environment, variable};
pub use hidden::{Hidden, SettingError, secret};
pub use log::LogArgs;
