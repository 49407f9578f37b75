//! What the end-to-end tests share: how a mirror is run, and how a destination is read without the product's code.

pub mod cluster;
pub mod finished;
pub mod folder_view;
pub mod judged;
pub mod mirror;
pub mod readiness;
pub mod secrets;
pub mod stage;
pub mod stored;
