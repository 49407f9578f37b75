//! The RabbitMQ driver against real brokers. Tests share one, each with queues of its own; those that stop a broker
//! have one to themselves.
#![allow(clippy::unwrap_used)]

mod conformance;
mod dead;
mod doors;
mod handing_over;
mod outages;
mod settling;
mod support;
mod topology;
