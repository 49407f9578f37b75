//! `Location`: where a registry wants the bytes of a blob.
//!
//! - Only http and https are followed, to a host.
//! - The registry's login goes along exactly if scheme, host and port are the registry's own.
//! - A login in it is left out: only our own goes anywhere.
//! - A query is kept as it is, the digest comes behind it.
//! - Where it leads, it leads again.

use std::sync::LazyLock;

use mirror_oci::registry::hostile::{carries_login, location};
use regex::Regex;
use reqwest::header::HeaderValue;
use url::Url;

/// The registry, and who answered: itself, or whom it redirected to.
const ANSWERED: [[&str; 2]; 3] = [
    [
        "https://registry.example/",
        "https://registry.example/v2/ns/a/blobs/uploads/?mount=x&from=y",
    ],
    [
        "http://127.0.0.1:5000/",
        "http://127.0.0.1:5000/v2/a/blobs/uploads/",
    ],
    [
        "https://registry.example/",
        "https://store.example:8443/upload",
    ],
];

/// A whole address with a plain name, whose meaning nobody disputes.
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(https?)://([a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*)(?:[/?#]|$)").unwrap()
});

/// `data` is the header's value.
pub fn check(data: &[u8]) {
    let Ok(header) = HeaderValue::from_bytes(data) else {
        return;
    };
    for [base, answered] in ANSWERED.map(|pair| pair.map(|url| Url::parse(url).unwrap())) {
        if let Some(url) = location(&answered, &header) {
            followed(&base, &answered, &header, url);
        }
    }
}

fn followed(base: &Url, answered: &Url, header: &HeaderValue, mut url: Url) {
    let text = header.to_str().expect("only visible text is followed");
    assert!(matches!(url.scheme(), "http" | "https"), "{url}");
    assert!(url.host_str().is_some_and(|host| !host.is_empty()), "{url}");
    assert_eq!((url.username(), url.password()), ("", None), "{text:?}");

    let home = |url: &Url| {
        let host = url.host_str().map(str::to_ascii_lowercase);
        (url.scheme().to_owned(), host, url.port_or_known_default())
    };
    let logged_in = carries_login(base, &url);
    assert_eq!(logged_in, home(&url) == home(base), "{text:?} is {url}");
    if let Some(plain) = PLAIN.captures(text) {
        let there = (&plain[1], &plain[2]);
        let own = (base.scheme(), base.host_str().unwrap_or_default());
        assert_eq!(
            logged_in,
            there == own && base.port().is_none(),
            "{text:?} is {url}"
        );
    }

    if let Some(query) = plain_query(text) {
        assert_eq!(url.query(), Some(query), "{text:?} is {url}");
    }
    let again = HeaderValue::from_str(url.as_str()).expect("an address is ASCII");
    assert_eq!(location(answered, &again).as_ref(), Some(&url));

    let (path, before) = (url.path().to_owned(), url.query().map(str::to_owned));
    url.query_pairs_mut().append_pair("digest", "sha256:0a");
    let asked = url.query().unwrap_or_default();
    let kept = match before.as_deref() {
        None | Some("") => "digest=sha256%3A0a".to_owned(),
        Some(before) => format!("{before}&digest=sha256%3A0a"),
    };
    assert_eq!((url.path(), asked), (&*path, &*kept), "{text:?}");
}

/// The query of an address that consists of nothing that would have to be spelled otherwise.
fn plain_query(text: &str) -> Option<&str> {
    let (address, _) = text.trim().split_once('#').unwrap_or((text.trim(), ""));
    let (_, query) = address.split_once('?')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~%&=+/:@!$()*,;?".contains(c);
    query.chars().all(is_plain).then_some(query)
}
