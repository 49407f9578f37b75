//! Annotations that a user wants on every manifest, such as `org.opencontainers.image.source`, by which ghcr.io finds the
//! repository that a package belongs to.

use std::collections::BTreeMap;

use crate::manifest::{CREATION_TIME, MD5, TITLE};

/// Most bytes of all keys and values together: they travel in every task.
const MOST: usize = 8 * 1024;
/// Keys that say something of ours begin so.
const OURS: &str = "org.conda.";

/// Annotations that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationError {
    /// Not `key=value`.
    #[error(
        "`{0}` is no key=value, as in org.opencontainers.image.source=https://github.com/me/mirror"
    )]
    Malformed(String),
    /// A key that the mirror writes itself.
    #[error("`{0}` is written by the mirror itself; choose another key")]
    Ours(String),
    /// One key with two values.
    #[error("`{0}` is given twice, with different values; keep one")]
    Twice(String),
    /// More than every task should carry.
    #[error(
        "all annotations together have more than {MOST} bytes; they are in each task and each manifest"
    )]
    TooMany,
}

/// Reads `key=value` texts.
///
/// # Errors
/// When one cannot be written into a manifest.
pub fn annotations(given: &[String]) -> Result<BTreeMap<String, String>, AnnotationError> {
    let mut read = BTreeMap::new();
    for text in given {
        let shown = || text.chars().filter(|c| !c.is_control()).take(100).collect();
        let (key, value) = text
            .split_once('=')
            .filter(|(key, _)| !key.is_empty() && !key.contains(char::is_whitespace))
            .filter(|_| !text.contains(char::is_control))
            .ok_or_else(|| AnnotationError::Malformed(shown()))?;
        if key.starts_with(OURS) || [TITLE, MD5, CREATION_TIME].contains(&key) {
            return Err(AnnotationError::Ours(key.to_owned()));
        }
        let before = read.insert(key.to_owned(), value.to_owned());
        if before.is_some_and(|before| before != value) {
            return Err(AnnotationError::Twice(key.to_owned()));
        }
    }
    let size = read.iter().map(|(key, value)| key.len() + value.len());
    match size.sum::<usize>() > MOST {
        true => Err(AnnotationError::TooMany),
        false => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(given: &[&str]) -> Result<BTreeMap<String, String>, AnnotationError> {
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        annotations(&given)
    }

    #[test]
    fn keys_end_at_the_first_equals_sign_and_order_does_not_matter() {
        let one = read(&["b=x=y", "a=", "b=x=y"]).unwrap();
        assert_eq!(one, read(&["a=", "b=x=y"]).unwrap());
        assert_eq!(one["b"], "x=y");
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        for text in ["", "=x", "key", "a b=c", "a=\n"] {
            assert!(
                matches!(read(&[text]), Err(AnnotationError::Malformed(_))),
                "{text:?}"
            );
        }
        for text in [
            "org.conda.md5=x",
            "org.opencontainers.image.title=x",
            "creationTime=x",
        ] {
            assert!(
                matches!(read(&[text]), Err(AnnotationError::Ours(_))),
                "{text}"
            );
        }
        assert_eq!(
            read(&["a=1", "a=2"]),
            Err(AnnotationError::Twice("a".to_owned()))
        );
        let long = format!("a={}", "x".repeat(9000));
        assert_eq!(read(&[&long]), Err(AnnotationError::TooMany));
    }
}
