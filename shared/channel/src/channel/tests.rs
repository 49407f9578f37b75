#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn parse(spec: &str) -> Result<Channel, ChannelError> {
    Channel::parse(spec, &Url::parse(DEFAULT_BASE).unwrap(), None)
}

fn http(channel: &Channel) -> &str {
    match &channel.location {
        Location::Http(url) => url.as_str(),
        Location::Folder(_) | Location::Oci(_) => panic!("{channel:?} is no URL"),
    }
}

#[test]
fn a_bare_name_lies_below_the_base() {
    let channel = parse("conda-forge/label/rc").unwrap();
    assert_eq!(channel.name, "conda-forge/label/rc");
    assert_eq!(
        http(&channel),
        "https://conda.anaconda.org/conda-forge/label/rc"
    );
    let base = Url::parse("http://cache.test:8080/api/conda/").unwrap();
    let channel = Channel::parse("bioconda", &base, None).unwrap();
    assert_eq!(http(&channel), "http://cache.test:8080/api/conda/bioconda");
}

#[test]
fn a_url_is_named_by_its_path_or_by_what_follows_the_base() {
    let channel = parse("https://prefix.dev/conda-forge/").unwrap();
    assert_eq!(
        (channel.name.as_str(), http(&channel)),
        ("conda-forge", "https://prefix.dev/conda-forge")
    );
    assert_eq!(
        parse("https://repo.anaconda.com/pkgs/main").unwrap().name,
        "pkgs/main"
    );
    let base = Url::parse("https://cache.test/api/conda").unwrap();
    let name = |spec: &str| Channel::parse(spec, &base, None).unwrap().name;
    assert_eq!(name("https://cache.test/api/conda/bioconda"), "bioconda");
    assert_eq!(
        name("https://cache.test/api/condas/bioconda"),
        "api/condas/bioconda"
    );
    assert_eq!(
        name("https://other.test/api/conda/bioconda"),
        "api/conda/bioconda"
    );
}

#[test]
fn a_mirror_is_named_by_the_end_of_its_path() {
    for (spec, name) in [
        ("oci://ghcr.io/channel-mirrors/conda-forge", "conda-forge"),
        ("oci+http://127.0.0.1:5000/ns/conda-forge/", "conda-forge"),
        (
            "oci+file:///srv/mirror/conda-forge/label/rc",
            "conda-forge/label/rc",
        ),
    ] {
        let channel = parse(spec).unwrap();
        assert_eq!(channel.name, name);
        let file = channel.file_url("linux-64", "a-1-0.conda").unwrap();
        let subdir = file.join(".").unwrap();
        assert_eq!(
            subdir.as_str(),
            format!("{}/linux-64/", spec.trim_end_matches('/'))
        );
    }
    for spec in [
        "oci://ghcr.io",
        "oci://me:hunter2@ghcr.io/a/b",
        "oci:///a/b",
        "oci:./a",
        "oci+file://host/a",
        "oci://ghcr.io/a/b/linux-64",
    ] {
        let error = parse(spec).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn secrets_stay_in_the_location_and_out_of_every_text() {
    let channel = parse("https://me:hunter2@conda.anaconda.org/t/tk-secret/private").unwrap();
    assert_eq!(channel.name, "private");
    let url = channel.file_url("noarch", "repodata.json").unwrap();
    assert_eq!(
        url.as_str(),
        "https://me:hunter2@conda.anaconda.org/t/tk-secret/private/noarch/repodata.json"
    );
    assert_eq!(parse("t/tk-secret/private").unwrap(), {
        let location = Url::parse("https://conda.anaconda.org/t/tk-secret/private").unwrap();
        Channel {
            name: "private".into(),
            location: Location::Http(location),
        }
    });
    assert_eq!(
        parse("https://h.test/conda/t/tk-secret/private")
            .unwrap()
            .name,
        "conda/private"
    );
    for text in [channel.display(), format!("{channel:?}")] {
        assert!(
            !text.contains("hunter2") && !text.contains("tk-secret"),
            "{text}"
        );
    }
    for bad in [
        "https://me:hunter2@h.test/t/tk-secret/c?x=tk-secret",
        "https://me:hunter2@h.test/t/tk-secret/c/noarch",
        "s3://me:hunter2@h.test/c",
    ] {
        let text = parse(bad).unwrap_err().to_string();
        assert!(
            !text.contains("hunter2") && !text.contains("tk-secret"),
            "{text}"
        );
    }
}

#[test]
fn a_folder_is_written_as_a_path_and_named_by_its_last_component() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("my-channel");
    std::fs::create_dir_all(folder.join("noarch")).unwrap();
    let canonical = folder.canonicalize().unwrap();
    let text = canonical.to_str().unwrap();
    for spec in [
        text.to_owned(),
        format!("{text}/"),
        format!("{text}/noarch/.."),
        format!("file://{text}"),
    ] {
        let channel = parse(&spec).unwrap();
        assert_eq!(
            channel,
            Channel {
                name: "my-channel".into(),
                location: Location::Folder(canonical.clone())
            },
            "{spec}"
        );
    }
    assert_eq!(
        parse("/srv/my-channel/label/rc").unwrap().name,
        "my-channel/label/rc"
    );
    let here = std::env::current_dir().unwrap();
    assert_eq!(
        parse("./some/where").unwrap().location,
        Location::Folder(here.join("some/where"))
    );
    assert_eq!(
        parse(".").unwrap().name,
        here.file_name().unwrap().to_str().unwrap()
    );
}

#[test]
fn a_name_can_be_given_instead() {
    let base = Url::parse(DEFAULT_BASE).unwrap();
    assert_eq!(
        Channel::parse("https://h.test/", &base, Some("mine"))
            .unwrap()
            .name,
        "mine"
    );
    assert!(matches!(
        Channel::parse("https://h.test", &base, None),
        Err(ChannelError::Unnamed(_))
    ));
    assert!(matches!(
        Channel::parse("/", &base, None),
        Err(ChannelError::Unnamed(_))
    ));
    for bad in [
        "", "/x", "x/", "a//b", "..", "a/../b", "a b", "a:b", "a%2fb",
    ] {
        assert!(
            matches!(
                Channel::parse("zlib", &base, Some(bad)),
                Err(ChannelError::Name { .. })
            ),
            "{bad:?}"
        );
    }
}

#[test]
fn mistakes_are_told_apart() {
    assert!(matches!(parse("  "), Err(ChannelError::Empty)));
    assert!(matches!(parse("~/channel"), Err(ChannelError::Tilde(_))));
    assert!(matches!(
        parse("docker://ghcr.io/x"),
        Err(ChannelError::Scheme { .. })
    ));
    assert!(matches!(
        parse("conda-forge/linux-64"),
        Err(ChannelError::Inside { .. })
    ));
    assert!(matches!(
        parse("https://h.test/c/noarch/repodata.json"),
        Err(ChannelError::Inside { .. })
    ));
    assert!(matches!(
        parse("https://h.test/c?x=1"),
        Err(ChannelError::Url { .. })
    ));
    assert!(matches!(parse("https://"), Err(ChannelError::Url { .. })));
    assert!(matches!(
        parse("conda forge"),
        Err(ChannelError::Name { .. })
    ));
    assert!(matches!(
        parse("https://h.test/a%20b"),
        Err(ChannelError::Name { .. })
    ));
}

#[test]
fn file_urls_keep_what_paths_may_carry_and_encode_the_rest() {
    let channel = parse("conda-forge").unwrap();
    let url = channel
        .file_url("linux-64", "x-1!2.0+cu=1-h%0 #?.conda")
        .unwrap();
    assert_eq!(
        url.as_str(),
        "https://conda.anaconda.org/conda-forge/linux-64/x-1!2.0+cu=1-h%250%20%23%3F.conda"
    );
    let folder = parse("/srv/my channel").unwrap_err();
    assert!(matches!(folder, ChannelError::Name { .. }));
    let base = Url::parse(DEFAULT_BASE).unwrap();
    let folder = Channel::parse("/srv/my channel", &base, Some("mine")).unwrap();
    let url = folder.file_url("noarch", "a-1+b-0.conda").unwrap();
    assert_eq!(
        url.as_str(),
        "file:///srv/my%20channel/noarch/a-1+b-0.conda"
    );
    for bad in ["", ".", "..", "a/b", "a\\b", "a\nb"] {
        assert!(channel.file_url(bad, "repodata.json").is_err(), "{bad:?}");
        assert!(channel.file_url("noarch", bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn no_spec_panics_and_every_name_is_clean(spec in "\\PC{0,40}") {
        prop_assume!(!spec.trim().starts_with(['.', '/', 'f', 'F']));
        if let Ok(channel) = parse(&spec) {
            prop_assert!(name::check(&channel.name).is_ok());
        }
    }
}
