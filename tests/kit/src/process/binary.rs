//! Where the product's binaries are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The variables with the paths of binaries to test instead of building them. They
/// must have been built with the feature `fail-points`.
const VARIABLE: &str = "CONDA_OCI_BIN";
const WORKER_VARIABLE: &str = "CONDA_OCI_WORKER_BIN";

/// The path of `conda-oci` with its fail points, built at the first call.
///
/// # Panics
/// If it does not compile.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| given_or_built(VARIABLE, "conda-oci", "conda-oci"))
}

/// The path of `conda-oci-worker` with its fail points, built at the first call.
///
/// # Panics
/// If it does not compile.
pub fn worker_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| given_or_built(WORKER_VARIABLE, "mirror-worker", "conda-oci-worker"))
}

fn given_or_built(variable: &str, package: &str, name: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => build(package, name),
    }
}

fn build(package: &str, name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--locked", "-p", package, "--bin", name])
        .args([
            "--features",
            "fail-points",
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(workspace)
        .stdin(Stdio::null())
        .output()
        .expect("cargo runs, it runs this test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} does not build:\n{said}");
    executable(&output.stdout).unwrap_or_else(|| panic!("cargo named no executable:\n{said}"))
}

/// The last executable that cargo's messages name, one JSON object a line.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n').rev();
    let mut messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    messages.find_map(|message| Some(message["executable"].as_str()?.into()))
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = br#"{"reason":"compiler-artifact","executable":null}
{"reason":"compiler-artifact","executable":"/target/debug/conda-oci"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(
            executable(messages).as_deref(),
            Some("/target/debug/conda-oci".as_ref())
        );
        assert_eq!(executable(b""), None);
    }
}
