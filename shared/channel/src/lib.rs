//! The conda side of a mirror: names, channel locations, selection, and the index of a subdir read, filtered and
//! written without ever holding it in memory.
//!
//! Everything here is pure apart from the files it is handed; it knows no registry and no queue.

#[cfg(test)]
mod causes;
pub mod channel;
pub mod folder;
pub mod index;
mod msgpack;
pub mod name;
pub mod repodata;
pub mod selection;
pub mod shards;
pub mod source;
pub mod subdir;
pub mod zst;
