//! What a mirrored channel name may look like: path components that mean the same in a URL, a folder and a registry.

use super::ChannelError;

/// Whether a text is one path component that cannot climb or split: no separator, no `.` or `..`, nothing unprintable.
pub(super) fn is_component(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && !text.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
}

/// Whether registries can hold the name is decided later and reported, not refused; here only what could not be a
/// channel at all is.
pub(crate) fn check(name: &str) -> Result<(), ChannelError> {
    let refuse = |reason| {
        Err(ChannelError::Name {
            name: name.to_owned(),
            reason,
        })
    };
    if name.is_empty() {
        return refuse("it is empty");
    }
    if name.starts_with('/') || name.ends_with('/') {
        return refuse("it begins or ends with a slash");
    }
    if !name.split('/').all(is_component) {
        return refuse(
            "its path has an empty component, '.' or '..', a backslash or a control character",
        );
    }
    if name.contains(|c: char| {
        !c.is_ascii_graphic() || matches!(c, '?' | '#' | '%' | ':' | '@' | '"' | '<' | '>')
    }) {
        return refuse("it has a blank, a non-ASCII character or one of ? # % : @ \" < >");
    }
    Ok(())
}
