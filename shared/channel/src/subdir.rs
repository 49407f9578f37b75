//! The subdirs that a channel can have, as conda's own platform list knows them.

use std::str::FromStr;

use rattler_conda_types::Subdir;

/// The subdir that every channel must serve.
pub const NOARCH: &str = "noarch";

/// Every known subdir, `noarch` first.
#[must_use]
pub fn known() -> Vec<&'static str> {
    let mut names: Vec<_> = Subdir::all().map(Subdir::as_str).collect();
    names.sort_by_key(|name| *name != NOARCH);
    names
}

/// Whether `name` is one of [`known`], spelled exactly so.
#[must_use]
pub fn is_known(name: &str) -> bool {
    Subdir::from_str(name).is_ok_and(|subdir| subdir.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_subdir_is_known_and_noarch_leads() {
        let names = known();
        assert_eq!(names.first(), Some(&NOARCH));
        assert!(
            names.contains(&"linux-64")
                && names.contains(&"osx-arm64")
                && names.contains(&"win-64")
        );
        assert!(names.iter().all(|name| is_known(name)));
    }

    #[test]
    fn a_wrong_spelling_is_not_known() {
        for name in [
            "",
            "linux",
            "Linux-64",
            "linux-64/",
            "../noarch",
            "plan9-64",
        ] {
            assert!(!is_known(name), "{name}");
        }
    }
}
