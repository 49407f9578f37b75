#![allow(clippy::unwrap_used)]
use std::path::Path;

use super::{Entry, mirrors};
use crate::cli::State;

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    mirrors(text, Path::new("etc/oci")).map_err(|error| format!("{error:#}"))
}

const TWO: &str = r#"
    [defaults]
    registry = "oci:out"
    workers = 4
    exclude = ["cuda*"]
    max-size = "100MB"
    allow-shrink = true

    [[mirror]]
    channel = "conda-forge"
    package = ["zlib", "python >=3.12"]
    subdir = "linux-64"
    latest = 2
    max-bytes = 1000

    [[mirror]]
    name = "own"
    channel = "./channel"
    exclude = "secret"
    user = "myorg"
    state = "./state"
    undistributable = "list.json"
    allow-shrink = false
"#;

#[test]
fn each_mirror_has_its_own_options_over_the_defaults() {
    let mirrors = parse(TWO).unwrap();
    let [forge, own] = &mirrors[..] else {
        panic!("two mirrors")
    };
    let (forge, own) = (&forge.mirror, &own.mirror);
    assert_eq!(forge.packages, ["zlib", "python >=3.12"]);
    assert_eq!(forge.subdirs, ["linux-64"]);
    assert_eq!(forge.latest.unwrap().0.get(), 2);
    assert_eq!(forge.max_size.unwrap().0, 100_000_000);
    assert_eq!(forge.max_bytes.unwrap().0, 1000);
    assert_eq!(forge.registry.as_deref(), Some("oci:etc/oci/out"));
    assert_eq!(forge.allow_shrink, Some(true));
    assert_eq!(own.user.as_deref(), Some("myorg"));
    assert_eq!(
        own.registry, None,
        "the mirror's own destination counts alone"
    );
    assert_eq!(own.workers.unwrap().0.get(), 4);
    assert_eq!(own.excluded, ["cuda*", "secret"], "exclusions add up");
    assert_eq!(
        own.allow_shrink,
        Some(false),
        "a default can be switched off"
    );
}

#[test]
fn paths_are_relative_to_the_file() {
    let mirrors = parse(TWO).unwrap();
    assert_eq!(mirrors[1].channel, "./channel");
    let own = &mirrors[1].mirror;
    assert_eq!(own.channel.as_deref(), Some("./etc/oci/channel"));
    assert_eq!(own.state, Some(State::Folder("etc/oci/state".into())));
    assert_eq!(own.undistributable.as_deref(), Some("etc/oci/list.json"));
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_without_its_text() {
    let mirror = |line: &str| format!("[[mirror]]\nchannel = 'x'\n{line}");
    for (text, says) in [
        (
            mirror("packages = ['y']"),
            "line 3: unknown key `packages`; did you mean `package`?",
        ),
        (
            mirror("max-size = 'hunter2'"),
            "line 3: `max-size`: expected a size",
        ),
        (
            mirror("max-size = 1.5"),
            "line 3: `max-size`: expected a size",
        ),
        (
            mirror("latest = '3'"),
            "line 3: `latest`: expected a whole number above 0",
        ),
        (
            mirror("workers = 0"),
            "line 3: `workers`: expected a whole number above 0",
        ),
        (
            mirror("max-files = -1"),
            "line 3: `max-files`: expected a whole number",
        ),
        (
            mirror("read-timeout = 60"),
            "line 3: `read-timeout`: expected a span such as \"30s\"",
        ),
        (
            mirror("newer-than = 07:32:00"),
            "line 3: `newer-than`: expected a date such as",
        ),
        (mirror("package = []"), "line 3: `package`: an empty list"),
        (
            mirror("allow-shrink = 'https://h/x?token=hunter2'"),
            "line 3: `allow-shrink`: invalid type: text, expected a boolean",
        ),
        ("mirror = 'hunter2'".into(), "[[mirror]]"),
        ("defaults = 'hunter2'".into(), "line 1"),
        ("[mirror]\nchannel = 'x'".into(), "write [[mirror]]"),
        (
            "[[mirrors]]\nchannel = 'x'".into(),
            "did you mean `mirror`?",
        ),
        (
            "[[mirror]]\nregistry = 'oci:x'".into(),
            "number 1 has no channel",
        ),
        (mirror("registry = 'oci:x'\nuser = 'y'"), "keep one"),
        (
            mirror("state = '~/x'"),
            "mirror `x`: `state` \"~/x\" begins with ~",
        ),
        (
            mirror("registry = 'oci:~/x'"),
            "mirror `x`: `registry` \"~/x\" begins with ~",
        ),
        (
            "[defaults]\nchannel = 'x'".into(),
            "belong into a [[mirror]]",
        ),
        (String::new(), "no [[mirror]]"),
        ("[[mirror]\n".into(), "line 1"),
        (
            "[[mirror]]\nchannel = 'https://me:hunter2@host/x'\nregistry = 7".into(),
            "line 3",
        ),
        (
            format!("{0}\nname = 'a'\n{0}\nname = 'a'", mirror("")),
            "two mirrors have the name `a`",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
