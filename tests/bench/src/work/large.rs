//! One large package at a time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::TryStreamExt as _;
use mirror_kit::channel::ChannelBuilder;
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::package::{Fill, Format, PackageSpec};
use mirror_kit::servers::DockerRegistry;
use reqwest::Client;
use tempfile::TempDir;

use super::{Found, tar_bz2};
use crate::bench::{Bench, NAMESPACE, destination, megabytes};
use crate::measure::Measured;
use crate::replay::{Blob, Source};
use crate::report::{Row, Target, figure};
use crate::send::push;
use crate::stats::{Spread, in_turn};
use crate::svg::{Plot, Series};

/// Bytes of payload.
const FULL: u64 = 500_000_000;
const QUICK: u64 = 5_000_000;
/// What the process may have resident, in megabytes.
const MEMORY: f64 = 100.0;

/// A channel of one package.
struct Subject {
    what: &'static str,
    folder: TempDir,
    file: PathBuf,
    sha256: String,
}

/// How long a bare download and a bare upload take.
#[derive(Clone, Copy)]
struct Bare {
    download: Duration,
    upload: Duration,
}

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let bytes = bench.scaled(FULL, QUICK);
    let mut found = Found::default();
    let mut memory = Vec::new();
    for bytes in [bytes / 100, bytes / 10] {
        let subject = subject(bench, "`.conda`", Some(Format::Conda), bytes).await?;
        let server = FakeChannel::start(subject.folder.path().join("large")).await?;
        memory.push((
            megabytes(bytes),
            megabytes(ours(bench, &server).await?.resident),
        ));
    }
    for (what, format) in [
        ("`.conda`", Some(Format::Conda)),
        ("`.tar.bz2`", Some(Format::TarBz2)),
        ("`.tar.bz2` with `info/` last", None),
    ] {
        let subject = subject(bench, what, format, bytes).await?;
        let rounds = rounds(bench, &subject).await?;
        let is_conda = format == Some(Format::Conda);
        if is_conda {
            let resident = rounds.iter().map(|(ours, _)| megabytes(ours.resident));
            memory.push((megabytes(bytes), Spread::of(resident).median));
        }
        found.rows.extend(of_subject(&subject, &rounds, is_conda)?);
    }
    found.plots.push(Plot {
        name: "memory",
        title: "Peak resident memory of a mirror of one `.conda`".to_owned(),
        axes: ("size of the package, MB", "MB"),
        series: vec![Series::new("conda-oci", memory)],
    });
    Ok(found)
}

async fn subject(
    bench: &Bench,
    what: &'static str,
    format: Option<Format>,
    bytes: u64,
) -> Result<Subject> {
    let folder = bench.in_memory()?;
    let dir = folder.path().join("large");
    let (file, sha256) = tokio::task::spawn_blocking(move || match format {
        Some(format) => {
            let spec = PackageSpec::new("large", "1.0", "0").format(format);
            let channel = ChannelBuilder::new(dir)
                .package(spec.payload(bytes, Fill::Random))
                .build()?;
            anyhow::Ok((
                channel.files[0].path.clone(),
                channel.files[0].sha256.clone(),
            ))
        }
        None => {
            let (channel, sha256) = tar_bz2::info_last(&dir, bytes)?;
            Ok((channel.files[0].path.clone(), sha256))
        }
    })
    .await??;
    Ok(Subject {
        what,
        folder,
        file,
        sha256,
    })
}

async fn rounds(bench: &Bench, subject: &Subject) -> Result<Vec<(Measured, Bare)>> {
    let server = FakeChannel::start(subject.folder.path().join("large")).await?;
    let name = subject
        .file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let url = server.url_of(&format!("linux-64/{name}"));
    let blob = Blob {
        digest: format!("sha256:{}", subject.sha256),
        size: std::fs::metadata(&subject.file)?.len(),
        source: Source::File(subject.file.clone()),
        file: None,
    };
    let bare = async || {
        let registry = DockerRegistry::launch().await?;
        let download = download(&bench.client, &url, blob.size).await?;
        let started = Instant::now();
        push(
            &bench.client,
            &format!("{}/v2/{NAMESPACE}/large", registry.url()),
            &blob,
        )
        .await?;
        let upload = started.elapsed();
        Ok(Bare { download, upload })
    };
    in_turn(bench.rounds(), async || ours(bench, &server).await, bare).await
}

async fn ours(bench: &Bench, server: &FakeChannel) -> Result<Measured> {
    let (registry, home) = (DockerRegistry::launch().await?, bench.home()?);
    bench
        .mirror(home.path(), &server.url(), &destination(&registry))
        .run()
        .await
}

async fn download(client: &Client, url: &str, size: u64) -> Result<Duration> {
    let started = Instant::now();
    let answer = client.get(url).send().await?.error_for_status()?;
    let bytes = answer.bytes_stream();
    let read = bytes
        .try_fold(0, async |read, chunk| Ok(read + chunk.len() as u64))
        .await?;
    ensure!(read == size, "{url}: {read} bytes of {size}");
    Ok(started.elapsed())
}

fn of_subject(subject: &Subject, rounds: &[(Measured, Bare)], is_conda: bool) -> Result<[Row; 2]> {
    let size = std::fs::metadata(&subject.file)?.len();
    let rate = |time: Duration| megabytes(size) / time.as_secs_f64();
    let seconds = |time: &dyn Fn(&(Measured, Bare)) -> Duration| {
        Spread::of(rounds.iter().map(|round| time(round).as_secs_f64())).median
    };
    let (ours, download, upload) = (
        seconds(&|round| round.0.wall),
        seconds(&|round| round.1.download),
        seconds(&|round| round.1.upload),
    );
    let work = format!(
        "one {} of {:.0} MB → registry",
        subject.what,
        megabytes(size)
    );
    let pairs: Vec<(f64, f64)> = rounds
        .iter()
        .map(|(ours, bare)| (rate(ours.wall), rate(bare.upload)))
        .collect();
    let mut note = format!(
        "beside it a bare monolithic PUT ({} s); a bare download takes {} s, both in turn {} s, conda-oci {} s, of which {} s CPU: {} of both in turn",
        figure(upload),
        figure(download),
        figure(download + upload),
        figure(ours),
        figure(seconds(&|round| round.0.cpu)),
        figure((download + upload) / ours),
    );
    let mut row = Row::compared(&work, "MB/s", &pairs)
        .figure("download_s", download)
        .figure("upload_s", upload);
    if is_conda {
        row = row.target(Target::RatioAtLeast(0.9));
    } else {
        let unpack = tar_bz2::unpack(&subject.file)?.as_secs_f64();
        row = row.figure("unpack_s", unpack);
        note.push_str(&format!(
            ". Unpacking all of it takes one core {} s",
            figure(unpack)
        ));
    }
    let resident = rounds.iter().map(|(ours, _)| megabytes(ours.resident));
    let memory =
        Row::alone(format!("{work}: peak memory"), "MB", resident).target(Target::AtMost(MEMORY));
    Ok([row.note(note), memory])
}
