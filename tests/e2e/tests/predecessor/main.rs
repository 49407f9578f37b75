//! The predecessor itself, conda-oci-mirror 0.3.0: it reads what we write, and we read what it writes.
//!
//! `tests/predecessor` installs it and runs these; CONDA_OCI_PREDECESSOR names the Python that has it.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use mirror_e2e::mirror::{Report, command, mirror};
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

/// Has it push a channel that is in `dir/cache/main`.
async fn pushed(dir: &Path, channel: &Channel, registry: &RealRegistry) {
    let arguments = [
        registry.destination(),
        channel.name.clone(),
        "linux-64".to_owned(),
        dir.join("cache").display().to_string(),
    ];
    predecessor(PUSH, arguments.to_vec()).await;
}

#[tokio::test]
#[ignore = "tests/predecessor runs it"]
async fn we_copy_and_pull_what_it_pushed() {
    let dir = tempfile::tempdir().unwrap();
    let channel = channel(&dir.path().join("cache/main"));
    let registry = RealRegistry::start().await.unwrap();
    pushed(dir.path(), &channel, &registry).await;

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

/// What `verify` says of the channel in a registry: `kind subject` of the damages.
async fn verified(channel: &Channel, registry: &RealRegistry, code: i32) -> Vec<String> {
    let home = Home::new();
    let report = Report::in_home(&home);
    let run = command("verify", &home, &channel.name, registry.destination());
    let run = run.args(["-s", "linux-64", "--deep", "--report"]);
    let ended = run.arg(report.path()).run().await;
    ended.assert_code(code);
    let report = report.read();
    let linux = &report["summary"]["subdirs"][0];
    assert_eq!(linux["ours"], false, "{report:#}");
    assert_eq!(linux["records"], 3, "{report:#}");
    let findings = report["findings"].as_array().unwrap().iter();
    let damages = findings.filter(|finding| finding["class"] == "damage");
    damages
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap();
            format!("{} {}", text("kind"), text("subject"))
        })
        .collect()
}

#[tokio::test]
#[ignore = "tests/predecessor runs it"]
async fn we_verify_what_it_pushed_and_name_what_it_only_lists() {
    let dir = tempfile::tempdir().unwrap();
    let channel = channel(&dir.path().join("cache/main"));
    let registry = RealRegistry::start().await.unwrap();
    pushed(dir.path(), &channel, &registry).await;
    let none: [&str; 0] = [];
    assert_eq!(verified(&channel, &registry, 0).await, none);

    let registry = RealRegistry::start().await.unwrap();
    let lost = channel.dir.join("linux-64/xz-5.2-0.conda");
    std::fs::remove_file(lost).unwrap();
    pushed(dir.path(), &channel, &registry).await;
    let missing = ["manifest-missing xz-5.2-0.conda"];
    assert_eq!(verified(&channel, &registry, 1).await, missing);
}
