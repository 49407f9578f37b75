//! What this machine's file system refuses: the words of all crates.

pub(crate) use mirror_runtime::local::{is_out_of_descriptors, plain, remedy};
