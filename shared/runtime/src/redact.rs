//! Secrets stay out of every log, error and message.

use std::fmt;
use url::Url;

/// A password or token. Prints as `[redacted]`; the text is only given out by [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one header it belongs in.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A URL fit for logs and errors: no user, password, query or fragment, and conda's `/t/<token>/` blanked.
///
/// Queries go as a whole: upload sessions and signed downloads carry their credentials there.
#[must_use]
pub fn url(url: &Url) -> String {
    let mut shown = url.clone();
    // Fails only for URLs that cannot carry a user, which then have none to hide.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    let had_query = shown.query().is_some();
    shown.set_query(None);
    shown.set_fragment(None);
    let mut text = token_blanked(shown.as_str());
    if had_query {
        text.push_str("?…");
    }
    text
}

/// Like [`url()`] for a text that should be a URL but may not be one: then everything before the last
/// `@` goes, but for a scheme.
#[must_use]
pub fn text(text: &str) -> String {
    if let Ok(parsed) = Url::parse(text)
        && !parsed.cannot_be_a_base()
    {
        return url(&parsed);
    }
    let shown = match text.rfind('@') {
        None => text.to_owned(),
        Some(at) => {
            let scheme = text[..at].find("://").map_or(0, |scheme| scheme + 3);
            format!("{}…{}", &text[..scheme], &text[at..])
        }
    };
    token_blanked(&shown)
}

fn token_blanked(text: &str) -> String {
    let Some(start) = text.find("/t/") else {
        return text.to_owned();
    };
    let token = start + 3;
    let end = text[token..].find('/').map_or(text.len(), |n| token + n);
    format!("{}…{}", &text[..token], &text[end..])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_url_loses_user_password_token_and_query() {
        let shown =
            url(&Url::parse("https://me:pw@host.test/t/tk-123/chan/x?sig=secret#f").unwrap());
        assert_eq!(shown, "https://host.test/t/…/chan/x?…");
    }

    #[test]
    fn a_text_that_is_no_url_loses_what_stands_before_the_at() {
        assert_eq!(text("amqp://me:p w@[host"), "amqp://…@[host");
        assert_eq!(text("plain"), "plain");
        assert_eq!(text("me:hunter2@host/chan"), "…@host/chan");
        assert_eq!(text("my_user:pw@host"), "…@host");
    }

    #[test]
    fn a_secret_prints_as_redacted() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[redacted]");
    }
}
