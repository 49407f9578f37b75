//! The promises that every driver keeps.

use crate::support::fresh;

mirror_queue::queue_conformance!(fresh().await);
