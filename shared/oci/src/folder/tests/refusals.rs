//! What is refused, and that nothing remains of it.

use std::os::unix::fs::symlink;

use mirror_runtime::{Disposed as _, Disposition};

use super::*;

#[tokio::test]
async fn wrong_bytes_are_refused_and_leave_nothing() {
    let (dir, folder) = folder();
    let spool = dir.path().join("spool");
    fs::write(&spool, "wrong").unwrap();
    let digest = Digest::of(b"right");
    let short = Body::file(&spool, 50);
    for body in [
        body("wrong"),
        body("longer than right"),
        Body::file(&spool, 5),
        short,
    ] {
        let error = folder
            .put_blob(REPOSITORY, &digest, &body)
            .await
            .unwrap_err();
        assert!(matches!(error, FolderError::WrongContent { .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::Retry);
    }
    // The right bytes, fewer than announced.
    let error = folder
        .put_blob(REPOSITORY, &Digest::of(b"wrong"), &Body::file(&spool, 6))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            FolderError::WrongContent {
                len: 5,
                expected_len: 6,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(files(&dir.path().join("mirror")), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_manifest_that_names_a_missing_or_cut_blob_is_refused() {
    let (dir, folder) = folder();
    let (bytes, layer) = manifest("content");
    let error = folder
        .put_manifest(REPOSITORY, "1-0", &bytes)
        .await
        .unwrap_err();
    assert!(error.is_blob_unknown(), "{error}");
    artifact(&folder, REPOSITORY, "content").await;
    let path = dir
        .path()
        .join("mirror")
        .join(REPOSITORY)
        .join("blobs/sha256")
        .join(layer.hex());
    fs::write(&path, "cut").unwrap();
    let error = folder
        .put_manifest(REPOSITORY, "1-0", &bytes)
        .await
        .unwrap_err();
    assert!(
        error.is_blob_unknown() && error.to_string().contains("3 bytes of it"),
        "{error}"
    );
    assert!(folder.tags(REPOSITORY).await.unwrap().is_empty());
    assert_eq!(
        folder
            .blob_size(REPOSITORY, &Digest::of(&bytes))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let (_dir, folder) = folder();
    let huge = format!(
        r#"{{"schemaVersion":2,"x":"{}"}}"#,
        "x".repeat(MAX_MANIFEST)
    );
    for bytes in ["", "{}", r#"{"schemaVersion":2,"manifests":[]}"#, &huge] {
        let error = folder
            .put_manifest(REPOSITORY, "t", &Bytes::from(bytes.to_owned()))
            .await
            .unwrap_err();
        assert!(matches!(error, FolderError::BadManifest { .. }), "{error}");
    }
}

#[tokio::test]
async fn hostile_names_touch_no_file() {
    let (dir, folder) = folder();
    let long = "n".repeat(256);
    let names = [
        "",
        "/",
        "/etc",
        "..",
        "../x",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        "A",
        "a b",
        "a\0b",
        ".tmp-x",
        ".lock",
        "a/blobs",
        "blobs/sha256",
        "a/index.json",
        "oci-layout/x",
        "a\\b",
        &long,
    ];
    let digest = Digest::of(b"x");
    for name in names {
        let errors = [
            folder
                .put_blob(name, &digest, &body("x"))
                .await
                .unwrap_err(),
            folder.open_blob(name, &digest).await.unwrap_err(),
            folder.tags(name).await.unwrap_err(),
            folder.manifest(name, "t").await.unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(error, FolderError::Repository { .. }),
                "{name}: {error}"
            );
        }
    }
    let bytes = artifact(&folder, REPOSITORY, "x").await;
    for tag in [
        "",
        ".",
        "..",
        "a/b",
        "-a",
        "a b",
        "a\0",
        "sha256:00",
        &"t".repeat(129),
    ] {
        let error = folder
            .put_manifest(REPOSITORY, tag, &bytes)
            .await
            .unwrap_err();
        assert!(matches!(error, FolderError::Reference(_)), "{tag}: {error}");
        let error = folder.manifest(REPOSITORY, tag).await.unwrap_err();
        assert!(matches!(error, FolderError::Reference(_)), "{tag}: {error}");
    }
    let outside: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(outside, ["mirror"]);
    assert_eq!(fs::read_dir(dir.path().join("mirror")).unwrap().count(), 1);
}

#[tokio::test]
async fn symbolic_links_are_not_followed_out_of_the_root() {
    let (dir, folder) = folder();
    let (outside, root) = (dir.path().join("outside"), dir.path().join("mirror"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, root.join("linked")).unwrap();
    let bytes = artifact(&folder, REPOSITORY, "content").await;
    let inside = root.join(REPOSITORY);
    let secret = Digest::of(b"secret");
    symlink(
        outside.join("secret"),
        inside.join("blobs/sha256").join(secret.hex()),
    )
    .unwrap();
    symlink(outside.join("secret"), inside.join("index.json")).unwrap();
    let errors = [
        folder
            .put_blob("linked/x", &secret, &body("secret"))
            .await
            .unwrap_err(),
        folder.tags("linked").await.unwrap_err(),
        folder.open_blob(REPOSITORY, &secret).await.unwrap_err(),
        folder.blob_size(REPOSITORY, &secret).await.unwrap_err(),
        folder
            .put_blob(REPOSITORY, &secret, &body("secret"))
            .await
            .unwrap_err(),
        folder.tags(REPOSITORY).await.unwrap_err(),
        folder
            .put_manifest(REPOSITORY, "t", &bytes)
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, FolderError::Link(_)), "{error}");
        assert_eq!(error.disposition(), Disposition::Local);
    }
    assert_eq!(files(&outside), [outside.join("secret")]);
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn a_broken_layout_is_named_and_not_overwritten() {
    let (dir, folder) = folder();
    let bytes = artifact(&folder, REPOSITORY, "content").await;
    let repository = dir.path().join("mirror").join(REPOSITORY);
    for (file, text) in [
        ("index.json", "{torn"),
        ("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#),
    ] {
        fs::write(repository.join(file), text).unwrap();
        let error = folder
            .put_manifest(REPOSITORY, "t", &bytes)
            .await
            .unwrap_err();
        assert!(matches!(error, FolderError::BrokenLayout { .. }), "{error}");
        assert!(error.to_string().contains(file), "{error}");
        assert_eq!(error.disposition(), Disposition::Permanent);
        assert_eq!(fs::read_to_string(repository.join(file)).unwrap(), text);
        fs::remove_file(repository.join(file)).unwrap();
    }
    // What power loss may leave of an `oci-layout` is mended.
    fs::write(repository.join("oci-layout"), "").unwrap();
    folder.put_manifest(REPOSITORY, "t", &bytes).await.unwrap();
    assert_eq!(assert_whole(&folder, REPOSITORY).await, ["t"]);
}

#[tokio::test]
async fn what_stands_where_a_folder_belongs_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for root in [file.clone(), file.join("below")] {
        let error = Folder::open(&root).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(root.to_str().unwrap()) && text.contains("move it away"),
            "{text}"
        );
        assert_eq!(error.disposition(), Disposition::Local);
    }
    assert!(
        Folder::open_source(&file)
            .unwrap_err()
            .to_string()
            .contains("move it away")
    );
    let missing = dir.path().join("missing");
    assert!(
        Folder::open_source(&missing)
            .unwrap_err()
            .to_string()
            .contains("spelled right")
    );
    assert!(!missing.exists(), "a source is not made up");
    let folder = Folder::open(dir.path()).unwrap();
    let error = folder
        .put_blob("file/x", &Digest::of(b""), &body(""))
        .await
        .unwrap_err();
    assert!(matches!(error, FolderError::InTheWay { .. }), "{error}");
}
