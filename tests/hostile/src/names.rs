//! File names of packages, and where in a registry they go.
//!
//! - A name that is read is one component of a path, printable, and its parts put together are it again.
//! - A place in a registry is a repository and a tag by the distribution specification's own expressions, never that of
//!   the index; name, version and build can be told from it, so no two packages share one.
//! - [`has_place`](mirror_oci::layout::SubdirLayout::has_place) gives the answer that the place itself gives.

use std::path::{Component, Path};
use std::sync::LazyLock;

use mirror_channel::name::{FileName, MAX_FILE_NAME_BYTES};
use mirror_oci::layout::{Place, SubdirLayout};
use regex::Regex;

/// The specification's expression for a repository, and a tag of it.
static REPOSITORY: LazyLock<Regex> = LazyLock::new(|| {
    let part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*";
    Regex::new(&format!(r"^{part}(/{part})*$")).unwrap()
});
static TAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$").unwrap());

static LAYOUT: LazyLock<SubdirLayout> =
    LazyLock::new(|| SubdirLayout::new("ghcr.io", "ns", "conda-forge", "noarch").unwrap());

/// `data` is the name.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(file) = FileName::parse(text) else {
        return;
    };
    assert_eq!(file.as_str(), text);
    assert!(text.len() <= MAX_FILE_NAME_BYTES);
    assert!(
        text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{text:?}"
    );
    let parts: Vec<Component<'_>> = Path::new(text).components().collect();
    assert_eq!(parts, [Component::Normal(text.as_ref())]);

    let (name, version, build) = (file.name(), file.version(), file.build());
    assert_eq!(file.stem(), format!("{name}-{version}-{build}"));
    assert_eq!(
        text,
        format!("{}.{}", file.stem(), file.archive().extension())
    );
    assert!(
        !version.contains('-') && !build.contains('-'),
        "split from the right"
    );
    assert!(![name, version, build].contains(&""));
    let again = FileName::from_stem(file.stem(), file.archive());
    assert_eq!(again.as_ref(), Ok(&file));

    let place = LAYOUT.package(&file);
    assert_eq!(LAYOUT.has_place(&file), place.is_ok(), "{text:?}");
    if let Ok(place) = place {
        placed(&file, &place);
    }
}

fn placed(file: &FileName, place: &Place) {
    let Place { repository, tag } = place;
    assert!(REPOSITORY.is_match(repository), "{repository}");
    assert!(TAG.is_match(tag), "{tag}");
    assert!("ghcr.io/".len() + repository.len() <= 255, "{repository}");
    assert!(
        !["latest", "local"].contains(&&**tag),
        "the index's own tags"
    );

    let component = repository.strip_prefix("ns/conda-forge/noarch/").unwrap();
    let name = component
        .strip_prefix("zzz")
        .filter(|name| name.starts_with('_'));
    assert_eq!(name.unwrap_or(component), file.name());
    let spelled = tag
        .replace("__p__", "+")
        .replace("__e__", "!")
        .replace("__eq__", "=");
    assert_eq!(spelled, format!("{}-{}", file.version(), file.build()));
}
