//! Every form in which a registry asks for patience, told from its answer alone.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Longest pause taken from an answer; more is a mistake or malice.
const MAX_PAUSE: Duration = Duration::from_secs(3600);
/// Shortest pause: ghcr.io names milliseconds, and coming back after those costs another refusal.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// Pause where the registry names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(30);

/// How long the registry wants to be left alone, if this answer says so: 429, 503 with
/// `Retry-After`, or 403 with GitHub's "secondary rate limit" in the body.
#[must_use]
pub(super) fn pause(status: StatusCode, headers: &HeaderMap, body: &str) -> Option<Duration> {
    let header = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(retry_after);
    let named = match status {
        StatusCode::TOO_MANY_REQUESTS => header.or_else(|| in_body(body)).unwrap_or(DEFAULT_PAUSE),
        StatusCode::SERVICE_UNAVAILABLE => header?,
        StatusCode::FORBIDDEN if body.to_ascii_lowercase().contains("secondary rate limit") => {
            header
                .or_else(|| in_body(body))
                .unwrap_or(2 * DEFAULT_PAUSE)
        }
        _ => return None,
    };
    Some(named.clamp(MIN_PAUSE, MAX_PAUSE))
}

/// `Retry-After` in seconds or as an HTTP date (RFC 9110, 10.2.3).
#[must_use]
pub fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value.trim()).ok()?;
    Some(mirror_runtime::clock::until(at))
}

/// ghcr.io's `retry-after: 10.305464ms, allowed: 2000/minute`: a Go duration in the body.
fn in_body(body: &str) -> Option<Duration> {
    let lower = body.to_ascii_lowercase();
    let after = &lower[lower.find("retry-after:")? + "retry-after:".len()..];
    go_duration(after.trim_start())
}

/// A Go duration such as `1m2.5s` or `10.305464ms` at the start of `text`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    loop {
        let number_len = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let Ok(number) = rest[..number_len].parse::<f64>() else {
            break;
        };
        let unit = &rest[number_len..];
        let (scale, unit_len) = [
            ("ms", 1e-3),
            ("us", 1e-6),
            ("µs", 1e-6),
            ("ns", 1e-9),
            ("h", 3600.0),
            ("m", 60.0),
            ("s", 1.0),
        ]
        .into_iter()
        .find_map(|(name, scale)| unit.starts_with(name).then_some((scale, name.len())))?;
        total += number * scale;
        rest = &unit[unit_len..];
    }
    let read_some = rest.len() < text.len();
    read_some
        .then(|| Duration::try_from_secs_f64(total).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())])
    }

    #[test]
    fn seconds_dates_bodies_and_silence_are_understood() {
        let none = HeaderMap::new();
        let too_many = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(
            pause(too_many, &headers("7"), ""),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            pause(too_many, &headers("Mon, 01 Jan 2001 00:00:00 GMT"), ""),
            Some(MIN_PAUSE)
        );
        assert_eq!(pause(too_many, &none, ""), Some(DEFAULT_PAUSE));
        let ghcr = "denied: retry-after: 1m2.5s, allowed: 2000/minute";
        assert_eq!(
            pause(too_many, &none, ghcr),
            Some(Duration::from_millis(62_500))
        );
        let ghcr = "retry-after: 10.305464ms, allowed: 2000/minute";
        assert_eq!(pause(too_many, &none, ghcr), Some(MIN_PAUSE));
        assert_eq!(pause(too_many, &headers("99999999"), ""), Some(MAX_PAUSE));
    }

    #[test]
    fn a_403_is_patience_only_with_githubs_words_and_a_503_only_with_a_time() {
        let none = HeaderMap::new();
        assert!(
            pause(
                StatusCode::FORBIDDEN,
                &none,
                "You have exceeded a Secondary Rate Limit"
            )
            .is_some()
        );
        assert_eq!(pause(StatusCode::FORBIDDEN, &none, "DENIED"), None);
        assert_eq!(pause(StatusCode::SERVICE_UNAVAILABLE, &none, ""), None);
        assert!(pause(StatusCode::SERVICE_UNAVAILABLE, &headers("3"), "").is_some());
        assert_eq!(pause(StatusCode::OK, &headers("3"), ""), None);
    }
}
