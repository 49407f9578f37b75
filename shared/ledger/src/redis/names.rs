//! The names of keys: `<namespace>:{<part>|<part>…}:<what>`. What stands in braces decides the slot in a
//! cluster, so all keys of one [`Names`] are on one node and a script may touch them together.

use std::fmt::Write as _;

/// Names of keys that belong together.
#[derive(Debug, Clone)]
pub(super) struct Names {
    start: String,
}

impl Names {
    pub(super) fn new(namespace: &str, parts: &[&str]) -> Self {
        let mut start = String::new();
        escape(namespace, &mut start);
        start.push_str(":{");
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                start.push('|');
            }
            escape(part, &mut start);
        }
        start.push_str("}:");
        Self { start }
    }

    /// The key of something there is one of.
    pub(super) fn of(&self, what: &str) -> String {
        format!("{}{what}", self.start)
    }

    /// The key of one of many; nothing that [`of`](Self::of) names.
    pub(super) fn one(&self, what: &str, name: &str) -> String {
        format!("{}{what}:{name}", self.start)
    }

    /// The key of a bucket: short, for there are thousands.
    pub(super) fn bucket(&self, number: u16) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.start.len() + 3);
        key.extend_from_slice(self.start.as_bytes());
        key.push(b'f');
        key.extend_from_slice(&number.to_be_bytes());
        key
    }
}

/// What would end the tag early, or make two lists of parts look the same.
fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '{' | '}' | '|' | '%' => {
                // A String takes all that is written to it.
                let _ = write!(out, "%{:02x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_subdir_have_one_tag_and_those_of_others_another() {
        let names = Names::new("conda-oci", &["ghcr.io/org", "conda-forge", "linux-64"]);
        assert_eq!(
            names.one("build", "a-1-0"),
            "conda-oci:{ghcr.io/org|conda-forge|linux-64}:build:a-1-0"
        );
        assert_eq!(
            names.bucket(0x6162),
            b"conda-oci:{ghcr.io/org|conda-forge|linux-64}:fab"
        );
    }

    #[test]
    fn no_name_can_end_the_tag_or_look_like_two() {
        let tag = |parts: &[&str]| Names::new("a{b", parts).of("x");
        assert_eq!(tag(&["c}d", "e|f%"]), "a%7bb:{c%7dd|e%7cf%25}:x");
        assert_ne!(tag(&["a|b", "c"]), tag(&["a", "b|c"]));
    }
}
