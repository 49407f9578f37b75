//! The list of packages that conda-forge may not hand on, in the form its own tools keep it:
//! `{"undistributable": ["name-or-glob", …]}`.

use serde::Deserialize;

/// The largest list read, in bytes; the real one has a few kilobytes.
const MAX_BYTES: usize = 4 << 20;

/// A list that cannot be trusted to be the whole list.
#[derive(Debug, thiserror::Error)]
pub enum UndistributableError {
    /// Not the expected JSON.
    #[error(
        "the undistributable list is not JSON of the form {{\"undistributable\": [\"name\", …]}}: {0}"
    )]
    Json(serde_json::Error),
    /// Over the limit.
    #[error(
        "the undistributable list has {0} bytes, over the {MAX_BYTES} that a list of names can need"
    )]
    TooLarge(usize),
}

/// The names and globs of an undistributable list, to be excluded.
///
/// # Errors
/// Anything but the expected form, an error page included: a list that was not understood must not pass for an empty one.
pub fn parse_undistributable(json: &[u8]) -> Result<Vec<String>, UndistributableError> {
    #[derive(Deserialize)]
    struct List {
        undistributable: Vec<String>,
    }
    if json.len() > MAX_BYTES {
        return Err(UndistributableError::TooLarge(json.len()));
    }
    let list: List = serde_json::from_slice(json).map_err(UndistributableError::Json)?;
    Ok(list.undistributable)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_names_and_ignores_other_keys() {
        let list = parse_undistributable(br#"{"comment": 1, "undistributable": ["mkl", "cuda*"]}"#)
            .unwrap();
        assert_eq!(list, ["mkl", "cuda*"]);
    }

    #[test]
    fn anything_else_is_an_error_and_never_an_empty_list() {
        for bad in [
            &b""[..],
            b"[]",
            b"{}",
            b"<html>",
            br#"{"undistributable": "mkl"}"#,
            br#"{"undistributable": [1]}"#,
        ] {
            assert!(
                parse_undistributable(bad).is_err(),
                "{}",
                String::from_utf8_lossy(bad)
            );
        }
    }
}
