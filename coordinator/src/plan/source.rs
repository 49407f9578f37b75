//! Where the packages of a subdir are, decided from the subdir's address and the index's `base_url`.

use url::Url;

/// An index that sends us where we do not go.
#[derive(Debug, thiserror::Error)]
#[error(
    "the index says that its packages are at `{base_url}`, which {problem}; nothing is fetched from there"
)]
pub(crate) struct BadBaseUrl {
    base_url: String,
    problem: &'static str,
}

/// The folder that serves the packages: `info.base_url` (CEP 15) resolved against `subdir`, or `subdir`
/// itself. A channel on the network cannot send us to files of this machine, and a channel folder
/// only to files below it.
pub(crate) fn source(
    channel: &Url,
    subdir: Url,
    base_url: Option<&str>,
) -> Result<Url, BadBaseUrl> {
    let Some(base_url) = base_url else {
        return Ok(subdir);
    };
    let bad = |problem| BadBaseUrl {
        base_url: mirror_runtime::redact::text(base_url),
        problem,
    };
    let mut resolved = subdir.join(base_url).map_err(|_| bad("is no URL"))?;
    resolved.set_query(None);
    resolved.set_fragment(None);
    if !resolved.path().ends_with('/') {
        resolved.set_path(&format!("{}/", resolved.path()));
    }
    match resolved.scheme() {
        "http" | "https" => Ok(resolved),
        "file" if channel.scheme() == "file" && resolved.path().starts_with(channel.path()) => {
            Ok(resolved)
        }
        "file" => Err(bad("is a folder of this machine outside the channel")),
        _ => Err(bad("is neither http nor https")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn resolve(channel: &str, base_url: Option<&str>) -> Option<String> {
        let channel = Url::parse(channel).unwrap();
        let subdir = channel.join("linux-64/").unwrap();
        source(&channel, subdir, base_url).ok().map(Into::into)
    }

    #[test]
    fn packages_are_where_the_index_says() {
        let http = "https://c.test/ch/";
        for (base_url, expected) in [
            (None, "https://c.test/ch/linux-64/"),
            (Some("./"), "https://c.test/ch/linux-64/"),
            (Some("../pool"), "https://c.test/ch/pool/"),
            (Some("https://cdn.test/x?y"), "https://cdn.test/x/"),
        ] {
            assert_eq!(resolve(http, base_url).as_deref(), Some(expected));
        }
        assert_eq!(
            resolve("file:///ch/", Some("../pool")).as_deref(),
            Some("file:///ch/pool/")
        );
    }

    #[test]
    fn nobody_is_sent_to_the_files_of_this_machine() {
        assert_eq!(resolve("https://c.test/ch/", Some("file:///etc/")), None);
        assert_eq!(resolve("file:///ch/", Some("../../etc/")), None);
        assert_eq!(resolve("file:///ch/", Some("file:///chx/")), None);
        assert_eq!(resolve("https://c.test/ch/", Some("ftp://x/")), None);
    }
}
