//! The paths of a configuration file: relative ones are relative to the file.

use std::path::{Path, PathBuf};

use crate::cli::State;
use crate::cli::mirror::MirrorArgs;
use crate::cli::said::Said;

/// The mirror with its relative paths resolved against the file's folder.
///
/// # Errors
/// When one begins with `~`, which would make a folder of that name.
pub(super) fn beside(mut mirror: MirrorArgs, folder: &Path) -> anyhow::Result<MirrorArgs> {
    refuse_tilde(&mirror, Said::InFile)?;
    if let Some(State::Folder(state)) = &mut mirror.state {
        *state = joined(folder, state);
    }
    let paths = [&mut mirror.spool, &mut mirror.report, &mut mirror.ca_file];
    for path in paths.into_iter().flatten() {
        *path = joined(folder, path);
    }
    let join = |path: &str| joined(folder, Path::new(path)).display().to_string();
    if let Some(channel) = mirror.channel.as_mut()
        && is_relative(channel)
    {
        *channel = under_here(join(channel));
    }
    if let Some(channel) = mirror.channel.as_mut()
        && let Some(path) = oci_folder(channel)
    {
        *channel = format!("oci:{}", join(path));
    }
    if let Some(registry) = mirror.registry.as_mut()
        && let Some(path) = oci_folder(registry)
    {
        *registry = format!("oci:{}", join(path));
    }
    if let Some(list) = mirror.undistributable.as_mut()
        && is_file(list)
    {
        *list = join(list);
    }
    Ok(mirror)
}

/// Only a shell knows whose home `~` is.
///
/// # Errors
/// When a path begins with it: the option is named, and what to write.
pub(in crate::cli) fn refuse_tilde(mirror: &MirrorArgs, said: Said) -> anyhow::Result<()> {
    let text = |path: Option<&PathBuf>| path.map(|path| path.display().to_string());
    let state = mirror.state.as_ref().and_then(State::folder);
    let list = mirror.undistributable.clone();
    let registry = mirror.registry.as_deref().and_then(oci_folder);
    let channel = mirror.channel.as_deref().and_then(oci_folder);
    for (key, path) in [
        ("state", text(state)),
        ("spool", text(mirror.spool.as_ref())),
        ("report", text(mirror.report.as_ref())),
        ("ca-file", text(mirror.ca_file.as_ref())),
        ("undistributable", list.filter(|list| is_file(list))),
        ("registry", registry.map(str::to_owned)),
        ("channel", channel.map(str::to_owned)),
    ] {
        if let Some(path) = path.filter(|path| path.starts_with('~')) {
            anyhow::bail!(
                "{} {path:?} begins with ~, which only a shell expands; write the whole path",
                said.key(key)
            );
        }
    }
    Ok(())
}

/// The folder of `oci:FOLDER`; `oci:///x` is `oci:/x`. None for registries, and for `oci://host`, which is no folder.
pub(in crate::cli) fn oci_folder(registry: &str) -> Option<&str> {
    let path = registry.strip_prefix("oci:")?;
    match path.strip_prefix("//") {
        None => Some(path).filter(|path| !path.is_empty()),
        Some(rest) => rest.starts_with('/').then_some(rest),
    }
}

fn is_file(list: &str) -> bool {
    list != "none" && !list.contains("://")
}

/// `.`, `..`, `./x` and `../x`, as channels are told from names. `.x` is a name.
fn is_relative(channel: &str) -> bool {
    matches!(channel.trim().split('/').next(), Some("." | ".."))
}

/// Without the `.` between them. A `..` stays: what it leads to depends on links.
fn joined(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path).components().collect()
}

/// A relative path gets the `./` by which it is told from a channel's name.
fn under_here(path: String) -> String {
    match path.starts_with('/') || is_relative(&path) {
        true => path,
        false => format!("./{path}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn channel(written: &str, folder: &str) -> String {
        let mirror = MirrorArgs {
            channel: Some(written.to_owned()),
            ..MirrorArgs::default()
        };
        beside(mirror, Path::new(folder)).unwrap().channel.unwrap()
    }

    #[test]
    fn channel_folders_are_beside_the_file_wherever_it_is() {
        for (written, folder, resolved) in [
            ("./ch", "etc", "./etc/ch"),
            ("./ch", ".dot", "./.dot/ch"),
            ("./ch", "../up", "../up/ch"),
            ("./ch", "./etc", "./etc/ch"),
            ("./ch", "/etc", "/etc/ch"),
            ("./ch", "", "./ch"),
            ("../ch", "etc", "./etc/../ch"),
            (".", "etc", "./etc"),
            ("..", "etc", "./etc/.."),
            (".", "", "."),
            ("/ch", "etc", "/ch"),
            ("conda-forge", "etc", "conda-forge"),
            (".hidden", "etc", ".hidden"),
        ] {
            assert_eq!(channel(written, folder), resolved, "{written} in {folder}");
        }
    }

    #[test]
    fn a_destination_is_beside_the_file_if_it_is_a_folder() {
        for (written, resolved) in [
            ("oci:out", "oci:etc/out"),
            ("oci:./out", "oci:etc/out"),
            ("oci:/out", "oci:/out"),
            ("oci:///out", "oci:/out"),
            ("oci://host/x", "oci://host/x"),
            ("oci:", "oci:"),
            ("ghcr.io/x", "ghcr.io/x"),
        ] {
            let mirror = MirrorArgs {
                registry: Some(written.to_owned()),
                ..MirrorArgs::default()
            };
            let resolves = beside(mirror, Path::new("etc")).unwrap().registry.unwrap();
            assert_eq!(resolves, resolved, "{written}");
        }
    }
}
