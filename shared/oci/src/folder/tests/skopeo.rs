//! The program that others read such folders with.

use std::io::ErrorKind;
use std::process::Command;

use super::*;

fn inspect(root: &Path, repository: &str, tag: &str) -> Vec<u8> {
    let image = format!("oci:{}:{tag}", root.join(repository).display());
    let output = match Command::new("skopeo")
        .args(["inspect", "--raw", &image])
        .output()
    {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("this test needs skopeo; ./tests/run installs it or says how")
        }
        output => output.unwrap(),
    };
    assert!(
        output.status.success(),
        "{image}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[tokio::test]
async fn skopeo_reads_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let places = [
        ("channel/linux-64/zlib", "1.3.1-h0_1"),
        ("channel/linux-64/zlib", "1.3.1-h0_2"),
        ("channel/linux-64/zzz_libgcc_mutex", "0.1-main"),
        ("channel/linux-64/repodata.json", "latest"),
        (
            "channel/linux-64/repodata.json/shards",
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        ),
    ];
    let mut written = Vec::new();
    for (repository, tag) in places {
        let bytes = artifact(&folder, repository, &format!("{repository}:{tag}")).await;
        folder.put_manifest(repository, tag, &bytes).await.unwrap();
        written.push(bytes);
    }
    for ((repository, tag), bytes) in places.into_iter().zip(written) {
        assert_eq!(
            inspect(dir.path(), repository, tag),
            bytes,
            "{repository}:{tag}"
        );
    }
}
