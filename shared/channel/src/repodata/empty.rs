//! The index of a subdir without packages.

/// A complete `repodata.json` without records, for a channel that serves no `noarch`, which clients always ask for.
#[must_use]
pub fn empty(subdir: &str) -> Vec<u8> {
    let subdir = serde_json::Value::from(subdir);
    format!(r#"{{"info":{{"subdir":{subdir}}},"packages":{{}},"packages.conda":{{}},"removed":[],"repodata_version":1}}"#)
        .into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn clients_read_it_as_an_empty_subdir() {
        let repodata: rattler_conda_types::RepoData =
            serde_json::from_slice(&empty("noarch")).unwrap();
        assert_eq!(repodata.info.unwrap().subdir.as_deref(), Some("noarch"));
        assert!(repodata.packages.is_empty() && repodata.conda_packages.is_empty());
    }
}
