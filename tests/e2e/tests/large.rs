//! Packages of hundreds of megabytes: memory stays bounded, and so does the spool.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use futures::StreamExt as _;
use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stored::{Plain, digest_of_layer, package_media_type};
use mirror_kit::channel::{Channel, ChannelBuilder, MadeFile};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::package::{Fill, Format, PackageSpec};
use mirror_kit::process::{Home, Running};
use mirror_kit::servers::RealRegistry;
use rattler_digest::Sha256;
use rattler_digest::digest::Digest as _;
use serde_json::Value;
use tempfile::TempDir;

/// What the process may ever hold, in bytes. Each package alone is larger.
const MOST: u64 = 100 << 20;

fn large_channel(dir: &Path) -> Channel {
    let package = |name, megabytes: u64| {
        PackageSpec::new(name, "1.0", "0").payload(megabytes << 20, Fill::Random)
    };
    let builder = ChannelBuilder::new(dir.join("large"))
        .package(package("large", 300))
        // bzip2 is slow, so no larger than it must be.
        .package(package("large-and-old", 110).format(Format::TarBz2));
    let channel = builder.build().unwrap();
    assert!(channel.files.iter().all(|file| file.size > MOST));
    channel
}

/// The most memory the process ever had, in bytes.
fn peak(running: &Running) -> u64 {
    let path = format!("/proc/{}/status", running.id().expect("it runs"));
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes.unwrap().parse::<u64>().unwrap() << 10
}

/// Mirrors the large channel, looks at the memory when both packages are at the destination, and lets the next run
/// finish what that one was killed in.
async fn mirror_in_bounded_memory(upstream: &FakeChannel, destination: &str) {
    upstream.forget_requests();
    let home = Home::new();
    let run = || mirror(&home, upstream.url(), destination);
    let mut running = run().pause_at_nth("after-manifest", 2).spawn();
    running.paused("after-manifest").await;
    let peak = peak(&running);
    assert!(peak < MOST, "{} MiB at {destination}", peak >> 20);
    running.kill9();
    running.wait().await.assert_killed();
    run().run().await.assert_code(0);
    for file in ["/large-1.0-0.conda", "/large-and-old-1.0-0.tar.bz2"] {
        let downloads = upstream.count(|request| request.path.ends_with(file));
        assert_eq!(downloads, 1, "{file} at {destination}");
    }
}

fn repository(channel: &Channel, file: &MadeFile) -> String {
    let name = file.record["name"].as_str().unwrap();
    format!("{}/{}/{name}", channel.name, file.subdir)
}

async fn sha256_in_registry(plain: &Plain, repository: &str, media_type: &str) -> String {
    let manifest = plain.manifest(repository, "1.0-0").await.unwrap();
    let digest = digest_of_layer(&manifest, media_type).unwrap();
    let mut chunks = plain.blob(repository, &digest).await.bytes_stream();
    let mut sha256 = Sha256::new();
    while let Some(chunk) = chunks.next().await {
        sha256.update(chunk.unwrap());
    }
    hex(&sha256.finalize())
}

fn sha256_in_folder(folder: &Path, repository: &str, digest: &str) -> String {
    let blob = folder.join(repository).join("blobs/sha256").join(digest);
    hex(&rattler_digest::compute_file_digest::<Sha256>(blob).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn packages_of_hundreds_of_megabytes_arrive_whole_in_bounded_memory() {
    let dir = TempDir::new().unwrap();
    let channel = large_channel(dir.path());
    let upstream = FakeChannel::start(&channel.dir).await.unwrap();

    let registry = RealRegistry::start().await.unwrap();
    mirror_in_bounded_memory(&upstream, &registry.destination()).await;
    let plain = Plain::of(&registry);
    for file in &channel.files {
        let layer = package_media_type(&file.file_name);
        let repository = repository(&channel, file);
        let found = sha256_in_registry(&plain, &repository, layer).await;
        assert_eq!(found, file.sha256, "{} in the registry", file.file_name);
    }
    drop(registry);

    let folder = dir.path().join("mirror");
    mirror_in_bounded_memory(&upstream, &format!("oci:{}", folder.display())).await;
    for file in &channel.files {
        let found = sha256_in_folder(&folder, &repository(&channel, file), &file.sha256);
        assert_eq!(found, file.sha256, "{} in the folder", file.file_name);
    }
}

#[tokio::test]
async fn a_file_larger_than_the_spool_fails_alone_and_names_the_option() {
    let dir = TempDir::new().unwrap();
    let package =
        |name: &str, bytes| PackageSpec::new(name, "1.0", "0").payload(bytes, Fill::Random);
    let channel = ChannelBuilder::new(dir.path().join("mixed"))
        .package(package("fits", 900_000))
        .package(package("fits-as-well", 900_000))
        .package(package("huge", 3_000_000))
        .package(package("tiny", 1_000))
        .build()
        .unwrap();
    let registry = RealRegistry::start().await.unwrap();
    let home = Home::new();
    let report = Report::in_home(&home);
    let from = channel.dir.display().to_string();
    let run = || mirror(&home, &from, registry.destination());
    let strict = run()
        .args(["--spool-size", "1MB", "--report"])
        .arg(report.path());
    let finished = strict.run().await;
    finished.assert_code(1);

    let entry = report.entry("huge-1.0-0.conda");
    assert_eq!(entry["outcome"], "failed", "{entry}");
    let cause = entry["cause"].as_str().unwrap();
    assert!(
        cause.contains("--spool-size") && cause.contains("1000000"),
        "{cause}"
    );
    assert!(
        finished.stderr.contains("--spool-size"),
        "{}",
        finished.to_text()
    );
    assert!(
        finished.stdout.contains("1 failed"),
        "{}",
        finished.to_text()
    );

    let plain = Plain::of(&registry);
    let listed = async || -> Vec<String> {
        let media_type = mirror_e2e::stored::REPODATA;
        let index = plain
            .layer("mixed/linux-64/repodata.json", "latest", media_type)
            .await;
        let index: Value = serde_json::from_slice(&index.unwrap()).unwrap();
        index["packages.conda"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let others = [
        "fits-1.0-0.conda",
        "fits-as-well-1.0-0.conda",
        "tiny-1.0-0.conda",
    ];
    assert_eq!(listed().await, others);
    for file in &channel.files {
        let there = plain.manifest(&repository(&channel, file), "1.0-0").await;
        let expected = others.contains(&file.file_name.as_str());
        assert_eq!(there.is_some(), expected, "{}", file.file_name);
    }

    // With room it comes, once it is tried again.
    run().arg("--retry-failed").run().await.assert_code(0);
    assert_eq!(listed().await.len(), 4);
}
