//! Where a file belongs in the registry, worked out apart from the product, so that each checks the other.

/// The registry's name for a package file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciName {
    /// The last component of the repository.
    pub component: String,
    /// The tag.
    pub tag: String,
}

/// The repository component and tag of `<name>-<version>-<build>.{conda,tar.bz2}`, or nothing if OCI has no such
/// names. The patterns are those of the distribution specification, <https://github.com/opencontainers/distribution-spec>.
pub fn oci_name(file_name: &str) -> Option<OciName> {
    let stem = file_name
        .strip_suffix(".conda")
        .or_else(|| file_name.strip_suffix(".tar.bz2"))?;
    let mut parts = stem.rsplitn(3, '-');
    let (build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    let component = if name.starts_with('_') {
        format!("zzz{name}")
    } else {
        name.to_owned()
    };
    let tag = format!("{version}-{build}")
        .replace('+', "__p__")
        .replace('!', "__e__")
        .replace('=', "__eq__");
    (is_component(&component) && is_tag(&tag)).then_some(OciName { component, tag })
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = text.split(word).filter(|between| !between.is_empty());
    let joined =
        |between: &str| matches!(between, "." | "_" | "__") || between.chars().all(|c| c == '-');
    text.starts_with(word) && text.ends_with(word) && { separators }.all(joined)
}

/// `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(file_name: &str) -> Option<(String, String)> {
        oci_name(file_name).map(|name| (name.component, name.tag))
    }

    #[test]
    fn names_are_spelled_as_clients_look_for_them() {
        let some = |component: &str, tag: &str| Some((component.to_owned(), tag.to_owned()));
        assert_eq!(names("zlib-1.3.1-h0_1.conda"), some("zlib", "1.3.1-h0_1"));
        assert_eq!(
            names("_libgcc_mutex-0.1-main.tar.bz2"),
            some("zzz_libgcc_mutex", "0.1-main")
        );
        assert_eq!(
            names("x-1!2.0+cu-a=b.conda"),
            some("x", "1__e__2.0__p__cu-a__eq__b")
        );
        assert_eq!(names("r-base--x-4.0-0.conda"), some("r-base--x", "4.0-0"));
    }

    #[test]
    fn names_that_oci_refuses_have_no_spelling() {
        for name in [
            "Capital-1-0",
            "two..dots-1-0",
            "a___b-1-0",
            "ends_-1-0",
            "x-1-h~1",
            "x-é-0",
            "x-.1-0",
            "-1-0",
            "x-1",
        ] {
            assert_eq!(names(&format!("{name}.conda")), None, "{name}");
        }
        assert!(names(&format!("x-1-{}.conda", "b".repeat(126))).is_some());
        assert!(names(&format!("x-1-{}.conda", "b".repeat(127))).is_none());
        assert_eq!(names("x-1-0.whl"), None);
    }
}
