//! The configuration file: several mirrors with their selections, in TOML.
//!
//! Its keys are the long names of the command line's options, so that neither can know one that the other does not.
//! Paths in it are relative to the file, because cron starts nothing where people wrote it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use super::mirror::MirrorArgs;

/// The largest file read, in bytes: hundreds of mirrors fit.
const MAX_BYTES: u64 = 4 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What holds for every mirror that does not say otherwise.
    #[serde(default)]
    defaults: MirrorArgs,
    #[serde(default)]
    mirror: Vec<MirrorArgs>,
}

/// The mirrors of the file at `path`, those named in `only` if any are.
///
/// # Errors
/// When it cannot be read or understood; the text says where in it.
pub(crate) fn read(path: &Path, only: &[String]) -> anyhow::Result<Vec<MirrorArgs>> {
    let shown = path.display();
    let context = || format!("cannot read the configuration {shown} (--config)");
    let metadata = std::fs::metadata(path).with_context(context)?;
    anyhow::ensure!(
        metadata.len() <= MAX_BYTES,
        "the configuration {shown} has {} bytes, which no list of mirrors needs",
        metadata.len()
    );
    let text = std::fs::read_to_string(path).with_context(context)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    mirrors(&text, folder, only).with_context(|| format!("the configuration {shown}"))
}

fn mirrors(text: &str, folder: &Path, only: &[String]) -> anyhow::Result<Vec<MirrorArgs>> {
    let Config { defaults, mirror } =
        toml::from_str(text).map_err(|error| refusal(text, &error))?;
    anyhow::ensure!(
        defaults.channel.is_none() && defaults.rename.is_none() && defaults.name.is_none(),
        "`channel`, `as` and `name` belong into a [[mirror]], not into [defaults]"
    );
    anyhow::ensure!(
        defaults.report.is_none() || mirror.len() < 2,
        "`report` in [defaults] is one file for several mirrors, and the last one would be left of them; give each \
         [[mirror]] its own"
    );
    anyhow::ensure!(
        !mirror.is_empty(),
        "it has no [[mirror]]; each one needs at least a channel and a registry"
    );
    let mut mirrors = Vec::with_capacity(mirror.len());
    for (at, mirror) in mirror.into_iter().enumerate() {
        let mirror = beside(mirror.over(defaults.clone()), folder);
        let number = at + 1;
        anyhow::ensure!(
            mirror.channel.is_some(),
            "[[mirror]] number {number} has no channel"
        );
        anyhow::ensure!(
            mirror.registry.is_none() || mirror.user.is_none(),
            "[[mirror]] number {number} has both registry and user, which is short for a registry; keep one"
        );
        mirrors.push(mirror);
    }
    for wanted in only {
        anyhow::ensure!(
            mirrors.iter().any(|mirror| is_called(mirror, wanted)),
            "it has no mirror called `{wanted}` (--only); it has {}",
            names(&mirrors).join(", ")
        );
    }
    mirrors.retain(|mirror| only.is_empty() || only.iter().any(|name| is_called(mirror, name)));
    Ok(mirrors)
}

/// Where the file is wrong. The parser's own text repeats the line, in which there may be a password.
fn refusal(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let message = mirror_runtime::redact::text(error.message());
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            anyhow::anyhow!("line {line}: {message}")
        }
        None => anyhow::anyhow!("{message}"),
    }
}

fn is_called(mirror: &MirrorArgs, wanted: &str) -> bool {
    name(mirror) == Some(wanted)
}

fn name(mirror: &MirrorArgs) -> Option<&str> {
    mirror.name.as_deref().or(mirror.channel.as_deref())
}

fn names(mirrors: &[MirrorArgs]) -> Vec<String> {
    mirrors
        .iter()
        .filter_map(name)
        .map(mirror_runtime::redact::text)
        .collect()
}

/// The mirror with its relative paths resolved against the file's folder.
fn beside(mut mirror: MirrorArgs, folder: &Path) -> MirrorArgs {
    let joined = |path: &mut Option<PathBuf>| {
        if let Some(path) = path {
            *path = folder.join(&*path);
        }
    };
    joined(&mut mirror.state);
    joined(&mut mirror.spool);
    joined(&mut mirror.report);
    let join = |path: &str| folder.join(path).display().to_string();
    if let Some(channel) = mirror.channel.as_mut()
        && (channel.starts_with("./") || channel.starts_with("../"))
    {
        *channel = under_here(join(channel));
    }
    if let Some(registry) = mirror.registry.as_mut()
        && let Some(path) = registry.strip_prefix("oci:")
        && !path.is_empty()
    {
        *registry = format!("oci:{}", join(path));
    }
    if let Some(list) = mirror.undistributable.as_mut()
        && list != "none"
        && !list.contains("://")
    {
        *list = join(list);
    }
    mirror
}

/// A relative path keeps the `./` by which it is told from a channel's name.
fn under_here(path: String) -> String {
    match path.starts_with(['/', '.']) {
        true => path,
        false => format!("./{path}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Result<Vec<MirrorArgs>, String> {
        mirrors(text, Path::new("etc/oci"), &[]).map_err(|error| format!("{error:#}"))
    }

    const TWO: &str = r#"
        [defaults]
        registry = "oci:out"
        workers = 4
        exclude = ["cuda*"]
        max-size = "100MB"

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
        state = "state"
        undistributable = "list.json"
    "#;

    #[test]
    fn each_mirror_has_its_own_options_over_the_defaults() {
        let mirrors = parse(TWO).unwrap();
        let [forge, own] = &mirrors[..] else {
            panic!("two mirrors")
        };
        assert_eq!(forge.packages, ["zlib", "python >=3.12"]);
        assert_eq!(forge.subdirs, ["linux-64"]);
        assert_eq!(forge.latest.unwrap().get(), 2);
        assert_eq!(forge.max_size.unwrap().0, 100_000_000);
        assert_eq!(forge.max_bytes.unwrap().0, 1000);
        assert_eq!(forge.registry.as_deref(), Some("oci:etc/oci/out"));
        assert_eq!(own.user.as_deref(), Some("myorg"));
        assert_eq!(
            own.registry, None,
            "the mirror's own destination counts alone"
        );
        assert_eq!(own.workers.unwrap().get(), 4);
        assert_eq!(own.excluded, ["cuda*", "secret"], "exclusions add up");
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let mirrors = parse(TWO).unwrap();
        let own = &mirrors[1];
        assert_eq!(own.channel.as_deref(), Some("./etc/oci/./channel"));
        assert_eq!(own.state.as_deref(), Some(Path::new("etc/oci/state")));
        assert_eq!(own.undistributable.as_deref(), Some("etc/oci/list.json"));
    }

    #[test]
    fn one_mirror_can_be_picked_by_name_or_channel() {
        for (only, channel) in [
            ("own", "./etc/oci/./channel"),
            ("conda-forge", "conda-forge"),
        ] {
            let picked = mirrors(TWO, Path::new("etc/oci"), &[only.to_owned()]).unwrap();
            assert_eq!(picked.len(), 1);
            assert_eq!(picked[0].channel.as_deref(), Some(channel));
        }
        let error = mirrors(TWO, Path::new(""), &["other".to_owned()]).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("other") && said.contains("own"), "{said}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_without_its_text() {
        for (text, says) in [
            (
                "[[mirror]]\nchannel = 'x'\npackages = ['y']",
                "line 3: unknown field `packages`",
            ),
            (
                "[[mirror]]\nchannel = 'x'\nmax-size = 'big'",
                "no size such as",
            ),
            ("[[mirror]]\nregistry = 'oci:x'", "number 1 has no channel"),
            (
                "[[mirror]]\nchannel = 'x'\nregistry = 'oci:x'\nuser = 'y'",
                "keep one",
            ),
            ("[[mirror]]\nchannel = 'x'\nworkers = 0", "line 3"),
            ("[defaults]\nchannel = 'x'", "belong into a [[mirror]]"),
            ("", "no [[mirror]]"),
            ("[[mirror]\n", "line 1"),
            (
                "[[mirror]]\nchannel = 'https://me:hunter2@host/x'\nregistry = 7",
                "line 3",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
