//! skopeo as a second reader of image layouts and registries.

use anyhow::{Result, ensure};
use tokio::process::Command;

use super::program;

/// The bytes of the manifest that `skopeo inspect --raw <reference>` prints,
/// for a reference such as `oci:./mirror/conda-forge/noarch/zlib:1.2-0`.
///
/// # Errors
/// If skopeo is missing, or fails: with what it said.
pub async fn inspect_raw(reference: &str) -> Result<Vec<u8>> {
    let skopeo = program("skopeo")?;
    let mut command = Command::new(skopeo);
    command
        .args(["inspect", "--raw", reference])
        .kill_on_drop(true);
    let output = command.output().await?;
    ensure!(
        output.status.success(),
        "skopeo inspect --raw {reference}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}
