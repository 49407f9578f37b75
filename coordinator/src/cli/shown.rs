//! What somebody wrote, fit for a message.

use mirror_runtime::redact;

/// The text without users, passwords, tokens, queries and fragments. Unlike [`redact::text`] it takes a query from what
/// is no URL as well, and a token that nothing stands before: names of channels may have both by mistake.
pub(crate) fn shown(text: &str) -> String {
    let text = redact::text(text);
    let text = match text.strip_prefix("t/").map(|rest| rest.split_once('/')) {
        None => text,
        Some(None) => "t/…".to_owned(),
        Some(Some((_, rest))) => format!("t/…/{rest}"),
    };
    match text.find(['?', '#']) {
        None => text,
        Some(at) => format!("{}?…", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_name_loses_its_secrets_as_a_url_does() {
        for (text, expected) in [
            ("conda-forge", "conda-forge"),
            ("me:hunter2@x", "…@x"),
            ("t/hunter2/x", "t/…/x"),
            ("t/hunter2", "t/…"),
            ("x?token=hunter2", "x?…"),
            (
                "https://me:hunter2@h/t/hunter2/x?hunter2",
                "https://h/t/…/x?…",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
