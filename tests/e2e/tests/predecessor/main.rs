//! The predecessor itself, conda-oci-mirror 0.3.0: it reads what we write, and we read what it writes.
//!
//! `tests/predecessor` installs it and runs these; CONDA_OCI_PREDECESSOR names the Python that has it.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use mirror_e2e::mirror::mirror;
use mirror_e2e::stored::{PACKAGE_CONDA, Plain};
use mirror_kit::channel::{Channel, ChannelBuilder, oci_name};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Home, Run};
use mirror_kit::servers::RealRegistry;
use serde_json::Value;

const PUSH: &str = include_str!("push.py");
const PULL: &str = include_str!("pull.py");

/// Two versions of one package, and another.
fn channel(dir: &Path) -> Channel {
    ChannelBuilder::new(dir)
        .subdir("linux-64")
        .subdir("noarch")
        .package(PackageSpec::new("zlib", "1.9", "0"))
        .package(PackageSpec::new("zlib", "1.10", "0"))
        .package(PackageSpec::new("xz", "5.2", "0"))
        .build()
        .unwrap()
}

/// Runs a script with the predecessor; its last line of output.
async fn predecessor(script: &'static str, arguments: Vec<String>) -> String {
    let python = std::env::var("CONDA_OCI_PREDECESSOR")
        .expect("CONDA_OCI_PREDECESSOR names no Python; run tests/predecessor");
    let run = move || {
        let mut command = Command::new(python);
        let command = command.arg("-c").arg(script).args(arguments);
        command.env_remove("ORAS_USER").env_remove("ORAS_PASS");
        command.output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().next_back().unwrap_or_default().to_owned()
}

#[tokio::test]
#[ignore = "tests/predecessor runs it"]
async fn it_pulls_what_we_mirrored() {
    let dir = tempfile::tempdir().unwrap();
    let channel = channel(&dir.path().join("main"));
    let registry = RealRegistry::start().await.unwrap();
    let run = mirror(
        &Home::new(),
        channel.dir.to_str().unwrap(),
        registry.destination(),
    );
    run.run().await.assert_code(0);
    let cache = dir.path().join("cache");
    let zlib = channel.file("zlib-1.10-0.conda");
    let name = oci_name(&zlib.file_name).unwrap();
    let arguments = [
        registry.destination(),
        channel.name.clone(),
        "linux-64".to_owned(),
        cache.display().to_string(),
        format!("{}:{}", name.component, name.tag),
    ];
    let said = predecessor(PULL, arguments.to_vec()).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    let pulled = cache.join(&channel.name).join("linux-64");
    for file in ["zlib-1.10-0.conda", "xz-5.2-0.conda"] {
        let bytes = std::fs::read(pulled.join(file)).unwrap();
        assert!(bytes == channel.file(file).bytes().unwrap(), "{file}");
    }
    assert!(!pulled.join("zlib-1.9-0.conda").exists(), "only the newest");
    assert_eq!(said["index"]["name"], "zlib", "{said}");
    assert_eq!(said["index"]["version"], "1.10", "{said}");
    let members = said["info"].as_array().unwrap();
    assert!(members.contains(&Value::from("index.json")), "{said}");
    let package = std::fs::read(said["package"].as_str().unwrap()).unwrap();
    assert!(package == zlib.bytes().unwrap());
}

#[tokio::test]
#[ignore = "tests/predecessor runs it"]
async fn we_copy_and_pull_what_it_pushed() {
    let dir = tempfile::tempdir().unwrap();
    let channel = channel(&dir.path().join("cache/main"));
    let registry = RealRegistry::start().await.unwrap();
    let arguments = [
        registry.destination(),
        channel.name.clone(),
        "linux-64".to_owned(),
        dir.path().join("cache").display().to_string(),
    ];
    predecessor(PUSH, arguments.to_vec()).await;

    // Into another registry, and within that one.
    let other = RealRegistry::start().await.unwrap();
    let host = registry.url().strip_prefix("http://").unwrap();
    let source = format!(
        "oci+http://{host}/{}/{}",
        registry.namespace(),
        channel.name
    );
    for (to, name) in [(&other, "copied"), (&registry, "mounted")] {
        let run = mirror(&Home::new(), &source, to.destination());
        let run = run.args(["--as", name, "-s", "linux-64"]);
        run.run().await.assert_code(0);
        for file in channel.mirrored() {
            let place = oci_name(&file.file_name).unwrap();
            let repository = format!("{name}/linux-64/{}", place.component);
            let plain = Plain::of(to);
            let layer = plain.layer(&repository, &place.tag, PACKAGE_CONDA);
            assert!(
                layer.await.unwrap() == file.bytes().unwrap(),
                "{}",
                file.file_name
            );
        }
    }

    // Into a folder.
    let folder = dir.path().join("pulled");
    let pull = Run::in_home(&Home::new()).args(["pull-cache", "--channel", &channel.name]);
    let pull = pull.args(["--registry", &registry.destination(), "-s", "linux-64"]);
    let pull = pull.arg("--cache-dir").arg(&folder).run().await;
    pull.assert_code(0);
    let pulled = folder.join(&channel.name).join("linux-64");
    for file in ["zlib-1.10-0.conda", "xz-5.2-0.conda"] {
        let bytes = std::fs::read(pulled.join(file)).unwrap();
        assert!(bytes == channel.file(file).bytes().unwrap(), "{file}");
    }
    assert!(!pulled.join("zlib-1.9-0.conda").exists(), "only the newest");
}
