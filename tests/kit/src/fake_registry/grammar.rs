//! The grammar of repository names, tags and digests, as the distribution
//! specification v1.1 writes it. Anything else gets a bare 404, as
//! distribution's router answers it.

/// Longest repository name, distribution's `NameTotalLengthMax`.
pub(super) const LONGEST_NAME: usize = 255;

/// Whether `name` matches `component(/component)*` with
/// `component = [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
pub(super) fn is_repository(name: &str) -> bool {
    name.split('/').all(is_component)
}

fn is_component(component: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !component.starts_with(is_word) || !component.ends_with(is_word) {
        return false;
    }
    component
        .split(is_word)
        .all(|gap| matches!(gap, "" | "." | "_" | "__") || gap.chars().all(|c| c == '-'))
}

/// Whether `tag` matches `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
pub(super) fn is_tag(tag: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let bytes = tag.as_bytes();
    (1..=128).contains(&bytes.len())
        && word(bytes[0])
        && bytes.iter().all(|&c| word(c) || c == b'.' || c == b'-')
}

/// Whether `digest` is `sha256:` and 64 lower-case hex digits, the only
/// algorithm this registry knows.
pub(super) fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_digest, is_repository, is_tag};

    #[test]
    fn repository_names_follow_the_specification() {
        for good in [
            "a",
            "a/b",
            "conda-forge/linux-64/zlib",
            "a__b",
            "a--b",
            "a.b_c",
            "0",
        ] {
            assert!(is_repository(good), "{good}");
        }
        for bad in [
            "", "/a", "a/", "a//b", "_a", "a_", "a___b", "a..b", "a._b", "A", "a/B", "a-", "-a",
            "a+b", "é", "a-_b",
        ] {
            assert!(!is_repository(bad), "{bad}");
        }
    }

    #[test]
    fn tags_follow_the_specification() {
        assert!(is_tag("1.2.13-h_0__p__x"));
        assert!(is_tag(&"a".repeat(128)));
        for bad in ["", ".a", "-a", "a+b", "a!b", "a=b"] {
            assert!(!is_tag(bad), "{bad}");
        }
        assert!(!is_tag(&"a".repeat(129)));
    }

    #[test]
    fn only_lower_case_sha256_digests_are_known() {
        let hex = "ab".repeat(32);
        assert!(is_digest(&format!("sha256:{hex}")));
        assert!(!is_digest(&format!("sha256:{}", hex.to_uppercase())));
        assert!(!is_digest(&format!("sha512:{hex}")));
        assert!(!is_digest("sha256:ab"));
    }
}
