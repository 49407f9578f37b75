//! Writes the sample channel: `cargo run -p mirror-kit --example make-sample-channel [FOLDER]`.
//!
//! Without a folder it is written where the repository keeps it. The same sources write the same bytes.
#![allow(clippy::print_stdout)] // a program for a person at a terminal

use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/channel");
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(kept), PathBuf::from);
    let channel = mirror_kit::channel::sample(&folder)?;
    let bytes: u64 = channel.files.iter().map(|file| file.size).sum();
    println!(
        "{} packages, {bytes} bytes, in {}",
        channel.files.len(),
        folder.display()
    );
    Ok(())
}
