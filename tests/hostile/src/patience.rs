//! An answer that refuses: whether it asks for patience, for how long, and what of it is shown.
//!
//! - A pause is a second at the least and an hour at the most.
//! - `Retry-After` in seconds, and a Go duration in the body (ghcr.io), come to what `nanoseconds` reckons in whole
//!   numbers.
//! - Only 403, 429 and 503 are pleas for patience, 429 always.
//! - Code and message are short and have no control characters.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use mirror_oci::registry::hostile::{Refusal, refusal};
use mirror_runtime::patience::{LONGEST, SHORTEST};
use regex::Regex;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

/// A Go duration, and that it ends there. In lower case.
static GO: LazyLock<Regex> = LazyLock::new(|| {
    let part = r"[0-9]{1,9}(?:\.[0-9]{0,9})?(?:h|ms|m|s|us|µs|ns)";
    Regex::new(&format!(
        r"^retry-after:\s*((?:{part})+)(?:$|[^0-9.\p{{L}}])"
    ))
    .unwrap()
});
static PART: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"([0-9]+)(?:\.([0-9]*))?(h|ms|m|s|us|µs|ns)").unwrap());

/// `data` is the status (its first byte), `Retry-After` and `Date` (a line each), and the body.
pub fn check(data: &[u8]) {
    let Some((status, rest)) = data.split_first() else {
        return;
    };
    let statuses = [429, 403, 503, 401, 404, 500];
    let status = statuses[usize::from(*status) % statuses.len()];
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let mut header = || {
        let line = lines.next().unwrap_or_default();
        HeaderValue::from_bytes(line)
            .ok()
            .filter(|value| !value.is_empty())
    };
    let (after, date) = (header(), header());
    let body = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.extend(after.clone().map(|value| (RETRY_AFTER, value)));
    headers.extend(date.map(|value| (DATE, value)));

    let status = StatusCode::from_u16(status).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let said = refusal(status, headers, body, now);
    shown_safely(&said);
    let Some(pause) = said.pause else {
        assert_ne!(status, 429);
        return;
    };
    assert!(matches!(status.as_u16(), 403 | 429 | 503), "{status}");
    assert!((SHORTEST..=LONGEST).contains(&pause), "{pause:?}");

    let after = after.as_ref().and_then(|value| value.to_str().ok());
    let seconds = after.and_then(|value| value.trim().parse::<u32>().ok());
    if let Some(seconds) = seconds.filter(|_| !after.unwrap_or_default().contains('+')) {
        let expected = Duration::from_secs(seconds.into()).clamp(SHORTEST, LONGEST);
        assert_eq!(pause, expected, "{after:?}");
    }
    if after.is_none()
        && let Ok(body) = std::str::from_utf8(body)
        && let Some(expected) = nanoseconds(body)
    {
        let expected = Duration::from_nanos(u64::try_from(expected).unwrap_or(u64::MAX));
        let expected = expected.clamp(SHORTEST, LONGEST);
        let apart = pause.abs_diff(expected);
        assert!(apart < Duration::from_millis(1), "{pause:?} of {body:?}");
    }
}

fn shown_safely(said: &Refusal) {
    for (text, most) in [(&said.code, 60), (&said.message, 300)] {
        assert!(text.chars().count() <= most, "{text:?}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

/// The Go duration behind the first `retry-after:`, if what stands there is one and ends well.
fn nanoseconds(body: &str) -> Option<u128> {
    let lower = body.to_ascii_lowercase();
    let first = lower.find("retry-after:")?;
    let found = GO.captures(&lower[first..])?;
    let parts = PART.captures_iter(&found[1]);
    let nanoseconds = parts.map(|part| {
        let unit: u128 = match &part[3] {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            _ => 1,
        };
        let whole: u128 = part[1].parse().unwrap();
        let digits = part.get(2).map_or("", |digits| digits.as_str());
        let fraction: u128 = format!("{digits:0<9}").parse().unwrap();
        whole * unit + fraction * unit / 1_000_000_000
    });
    Some(nanoseconds.sum())
}
