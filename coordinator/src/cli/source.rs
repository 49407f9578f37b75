//! `--channel oci:FOLDER`: which channel of a folder of image layouts is meant; and no mirror onto itself.

use std::path::Path;

use anyhow::Context as _;
use mirror_channel::channel::{Channel, Location};
use mirror_oci::folder::channels;
use mirror_oci::registry::Address;
use url::Url;

use super::config::oci_folder;

/// Channels that are named when it must be said which is meant.
const NAMED: usize = 10;

/// The address of a channel as [`Channel::parse`] reads it, and the name it has in its folder: of `oci:FOLDER`, the
/// folder's own channel or the only one in it.
///
/// # Errors
/// When the folder cannot be read, holds none, or several.
pub(super) fn resolved(written: &str) -> anyhow::Result<(String, Option<String>)> {
    let Some(folder) = oci_folder(written.trim()) else {
        return Ok((written.to_owned(), None));
    };
    let read = || format!("the folder of image layouts {folder}");
    let root = Path::new(folder).canonicalize().with_context(read)?;
    let found = channels(&root).with_context(read)?;
    let name = match &found[..] {
        [] => anyhow::bail!(
            "{folder} holds no mirrored channel: no SUBDIR/repodata.json is in it or below"
        ),
        // Its labels lie below it.
        [own, ..] if own.is_empty() => None,
        [only] => Some(only.clone()),
        several => {
            let named = several.iter().take(NAMED);
            let named: Vec<_> = named.map(|name| format!("oci:{folder}/{name}")).collect();
            let more = if several.len() > NAMED { ", …" } else { "" };
            anyhow::bail!(
                "{folder} holds {} channels; say which: {}{more}",
                several.len(),
                named.join(", ")
            );
        }
    };
    let channel = match &name {
        Some(name) => root.join(name),
        None => root,
    };
    let url = Url::from_directory_path(&channel)
        .ok()
        .with_context(|| format!("{} has no address", channel.display()))?;
    Ok((format!("oci+{url}"), name))
}

/// The folder of image layouts that the channel is read from, if it is.
pub(super) fn folder_of(channel: &Channel) -> Option<std::path::PathBuf> {
    match &channel.location {
        Location::Oci(url) if url.scheme() == "oci+file" => {
            let file = Url::parse(url.as_str().strip_prefix("oci+")?).ok()?;
            file.to_file_path().ok()
        }
        _ => None,
    }
}

/// # Errors
/// When the channel would be mirrored to where it is read from.
pub(super) fn refuse_itself(channel: &Channel, registry: Option<&Address>) -> anyhow::Result<()> {
    let Location::Oci(url) = &channel.location else {
        return Ok(());
    };
    let same = match registry {
        None | Some(Address::Channel(_)) => false,
        Some(Address::Registry(to)) => {
            let parts = [to.namespace.as_str(), channel.name.as_str()];
            let path = parts.into_iter().filter(|part| !part.is_empty());
            let path = path.collect::<Vec<_>>().join("/");
            let scheme = match to.base.scheme() {
                "http" => "oci+http",
                _ => "oci",
            };
            url.as_str() == format!("{scheme}://{}/{path}", to.host())
        }
        Some(Address::Folder(to)) => {
            let to = to.join(&channel.name).canonicalize().ok();
            to.is_some() && to == folder_of(channel)
        }
    };
    anyhow::ensure!(
        !same,
        "{} would be mirrored onto itself; give another --registry, or another name with --as",
        channel.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn add(root: &Path, channel: &str) {
        let repository = root.join(channel).join("noarch/repodata.json");
        std::fs::create_dir_all(&repository).unwrap();
        std::fs::write(repository.join("oci-layout"), "{}").unwrap();
    }

    fn channel(written: &str) -> Channel {
        let base = Url::parse("https://conda.anaconda.org").unwrap();
        let (spec, name) = resolved(written).unwrap();
        Channel::parse(&spec, &base, name.as_deref()).unwrap()
    }

    #[test]
    fn the_only_channel_of_a_folder_is_meant_and_of_several_one_must_be_said() {
        let dir = tempfile::tempdir().unwrap();
        let written = format!("oci:{}", dir.path().display());
        assert!(
            resolved(&written)
                .unwrap_err()
                .to_string()
                .contains("no mirrored channel")
        );
        add(dir.path(), "pkgs/main");
        assert_eq!(channel(&written).name, "pkgs/main");
        add(dir.path(), "forge/label/rc");
        let error = resolved(&written).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{written}/forge/label/rc")),
            "{error}"
        );
        let one = channel(&format!("{written}/forge/label/rc"));
        assert_eq!(one.name, "forge/label/rc");
        assert_eq!(
            folder_of(&one).unwrap(),
            dir.path().canonicalize().unwrap().join("forge/label/rc")
        );
        assert!(resolved("oci:./not/there").is_err());
        assert_eq!(resolved("conda-forge").unwrap().1, None);
    }

    #[test]
    fn nothing_is_mirrored_onto_itself() {
        let dir = tempfile::tempdir().unwrap();
        add(dir.path(), "main");
        let onto = |channel: &Channel, registry: &str| {
            refuse_itself(channel, Some(&registry.parse().unwrap()))
        };
        let folder = channel(&format!("oci:{}", dir.path().display()));
        assert!(onto(&folder, &format!("oci:{}", dir.path().display())).is_err());
        assert!(onto(&folder, "oci:./elsewhere").is_ok());
        let registry = channel("oci://ghcr.io/org/main");
        assert!(onto(&registry, "ghcr.io/org").is_err());
        assert!(onto(&registry, "http://ghcr.io/org").is_ok());
        assert!(onto(&registry, "ghcr.io/other").is_ok());
    }
}
