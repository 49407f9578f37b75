//! Coordinator and workers as processes of their own, with RabbitMQ and Redis between them. Whatever is killed, stopped
//! or done twice: in the end every file is right byte for byte, the indexes are exact at each publication, rattler finds
//! and downloads everything, and nothing is left at the broker.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod coordinators;
mod enqueued;
mod logins;
mod mirrors;
mod random;
mod rivals;
mod stopping;
mod support;
mod twice;
mod workers;
