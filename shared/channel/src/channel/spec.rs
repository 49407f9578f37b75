//! From what the user wrote to a location and its natural name.

use std::path::{Component, Path, PathBuf};

use mirror_runtime::redact;
use url::Url;

use super::{ChannelError, Location, name};
use crate::subdir;

/// The location that `spec` means, and the name it has by itself, if any.
pub(super) fn read(spec: &str, base: &Url) -> Result<(Location, Option<String>), ChannelError> {
    if spec.is_empty() {
        return Err(ChannelError::Empty);
    }
    if spec.starts_with('~') {
        return Err(ChannelError::Tilde(spec.to_owned()));
    }
    if spec.starts_with('/') || matches!(spec.split('/').next(), Some("." | "..")) {
        return folder(Path::new(spec));
    }
    match spec.split_once(':') {
        Some((scheme, _)) => url(spec, scheme, base),
        None => below_base(spec, base),
    }
}

fn below_base(spec: &str, base: &Url) -> Result<(Location, Option<String>), ChannelError> {
    let channel = spec.trim_end_matches('/');
    let natural = segments_without_token(channel).join("/");
    if let Err(ChannelError::Name { reason, .. }) = name::check(channel) {
        return Err(ChannelError::Name {
            name: natural,
            reason,
        });
    }
    not_inside(&natural, &natural)?;
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| {
            url_error(
                base.as_str(),
                "the channel base has no path to put a channel below",
            )
        })?
        .pop_if_empty()
        .extend(channel.split('/'));
    Ok((
        Location::Http(url),
        Some(natural).filter(|name| !name.is_empty()),
    ))
}

fn url(spec: &str, scheme: &str, base: &Url) -> Result<(Location, Option<String>), ChannelError> {
    let scheme = scheme.to_ascii_lowercase();
    if matches!(&*scheme, "oci" | "oci+http" | "oci+file") {
        return mirror(spec, &scheme);
    }
    if !matches!(&*scheme, "http" | "https" | "file") {
        return Err(ChannelError::Scheme {
            given: redact::text(spec),
            scheme,
        });
    }
    let mut url = Url::parse(spec).map_err(|error| url_error(spec, &error.to_string()))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(url_error(
            spec,
            "it has a query or a fragment, which cannot be kept for the files below it",
        ));
    }
    if scheme == "file" {
        let path = url.to_file_path().map_err(|()| {
            url_error(
                spec,
                "file URLs name a folder of this machine: file:///path",
            )
        })?;
        return folder(&path);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    let mut segments = segments_without_token(&path);
    let base_segments = segments_without_token(base.path());
    let same_host = url.host() == base.host() && url.port() == base.port();
    if same_host && segments.starts_with(&base_segments) {
        segments.drain(..base_segments.len());
    }
    let natural = segments.join("/");
    if natural.is_empty() {
        return Ok((Location::Http(url), None));
    }
    not_inside(spec, &natural)?;
    Ok((Location::Http(url), Some(natural)))
}

/// A channel as an OCI mirror holds it.
fn mirror(spec: &str, scheme: &str) -> Result<(Location, Option<String>), ChannelError> {
    let mut url = Url::parse(spec).map_err(|error| url_error(spec, &error.to_string()))?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare {
        return Err(url_error(
            spec,
            "it has a user, a password, a query or a fragment; a login is given in the environment",
        ));
    }
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    if has_host != (scheme != "oci+file") || !url.path().starts_with('/') {
        return Err(url_error(
            spec,
            "mirrors are written oci://host/path, oci+http://host:port/path, or oci:FOLDER",
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    let segments: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let natural = match segments[..] {
        [.., channel, "label", label] => format!("{channel}/label/{label}"),
        [.., last] => last.to_owned(),
        [] => {
            return Err(url_error(
                spec,
                "it names a registry and no channel in it: oci://host/namespace/channel",
            ));
        }
    };
    not_inside(spec, &path[1..])?;
    Ok((Location::Oci(url), Some(natural)))
}

/// The components of a path without conda's `t/<token>`, which can stand at its beginning or after a server's own prefix.
fn segments_without_token(path: &str) -> Vec<&str> {
    let mut segments: Vec<_> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    if let Some(at) = segments.iter().position(|segment| *segment == "t") {
        segments.drain(at..segments.len().min(at + 2));
    }
    segments
}

fn folder(given: &Path) -> Result<(Location, Option<String>), ChannelError> {
    let resolve = |error| ChannelError::Folder {
        folder: given.to_owned(),
        error,
    };
    let mut folder: PathBuf = std::path::absolute(given).map_err(resolve)?;
    if folder
        .components()
        .any(|component| component == Component::ParentDir)
        || folder.file_name().is_none()
    {
        folder = folder.canonicalize().map_err(resolve)?;
    }
    let components: Vec<_> = folder
        .components()
        .filter_map(|component| match component {
            Component::Normal(text) => text.to_str(),
            _ => None,
        })
        .collect();
    let natural = match components[..] {
        [.., channel, "label", label] => Some(format!("{channel}/label/{label}")),
        [.., last] if folder.file_name().is_some_and(|name| name == last) => Some(last.to_owned()),
        _ => None,
    };
    Ok((Location::Folder(folder), natural))
}

/// Refuses `…/conda-forge/linux-64` and `…/repodata.json`, pasted from a browser.
fn not_inside(spec: &str, natural: &str) -> Result<(), ChannelError> {
    let Some((_, last)) = natural.rsplit_once('/') else {
        return Ok(());
    };
    let index =
        last.starts_with("repodata") || last.ends_with(".conda") || last.ends_with(".tar.bz2");
    if subdir::is_known(last) || index {
        return Err(ChannelError::Inside {
            given: redact::text(spec),
            last: last.to_owned(),
        });
    }
    Ok(())
}

fn url_error(given: &str, reason: &str) -> ChannelError {
    ChannelError::Url {
        given: redact::text(given),
        reason: reason.to_owned(),
    }
}
