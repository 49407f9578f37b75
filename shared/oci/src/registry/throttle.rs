//! Every form in which a registry asks for patience, told from its answer alone.

use std::time::{Duration, SystemTime};

use mirror_runtime::patience;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// Pause where the registry names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(30);

/// How long the registry wants to be left alone, if this answer says so: 429, 503 with
/// `Retry-After`, or 403 with GitHub's "secondary rate limit" in the body.
#[must_use]
pub(super) fn pause(
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
    now: SystemTime,
) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let header = text(RETRY_AFTER).and_then(|value| patience::retry_after(value, text(DATE), now));
    let named = match status {
        StatusCode::TOO_MANY_REQUESTS => header.or_else(|| in_body(body)).unwrap_or(DEFAULT_PAUSE),
        StatusCode::SERVICE_UNAVAILABLE => header?,
        StatusCode::FORBIDDEN
            if header.is_some() || body.to_ascii_lowercase().contains("secondary rate limit") =>
        {
            header
                .or_else(|| in_body(body))
                .unwrap_or(2 * DEFAULT_PAUSE)
        }
        _ => return None,
    };
    Some(patience::bounded(named))
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

    fn asked(status: u16, headers: &HeaderMap, body: &str) -> Option<Duration> {
        let status = StatusCode::from_u16(status).unwrap();
        pause(status, headers, body, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn a_429_names_its_pause_in_a_header_in_its_body_or_not_at_all() {
        let none = HeaderMap::new();
        assert_eq!(
            asked(429, &headers("7"), "retry-after: 9s"),
            Some(Duration::from_secs(7))
        );
        let dated = HeaderMap::from_iter([
            (DATE, "Mon, 07 Jan 2030 00:00:00 GMT".parse().unwrap()),
            (
                RETRY_AFTER,
                "Mon, 07 Jan 2030 00:00:20 GMT".parse().unwrap(),
            ),
        ]);
        assert_eq!(asked(429, &dated, ""), Some(Duration::from_secs(20)));
        assert_eq!(asked(429, &none, ""), Some(DEFAULT_PAUSE));
        let ghcr = "denied: retry-after: 1m2.5s, allowed: 2000/minute";
        assert_eq!(asked(429, &none, ghcr), Some(Duration::from_millis(62_500)));
        let hours = "retry-after: 0.25h, allowed: 2000/minute";
        assert_eq!(asked(429, &none, hours), Some(Duration::from_secs(900)));
    }

    #[test]
    fn milliseconds_and_ages_are_brought_within_bounds() {
        let none = HeaderMap::new();
        let ghcr = "retry-after: 10.305464ms, allowed: 2000/minute";
        assert_eq!(asked(429, &none, ghcr), Some(patience::SHORTEST));
        let age = format!("retry-after: {}h", "9".repeat(400));
        assert_eq!(asked(429, &none, &age), Some(DEFAULT_PAUSE));
        assert_eq!(
            asked(429, &none, "retry-after: 300000h"),
            Some(patience::LONGEST)
        );
    }

    #[test]
    fn a_403_is_patience_only_with_githubs_words_and_a_503_only_with_a_time() {
        let none = HeaderMap::new();
        let github = "You have exceeded a Secondary Rate Limit";
        assert_eq!(asked(403, &none, github), Some(2 * DEFAULT_PAUSE));
        assert_eq!(asked(403, &none, "DENIED"), None);
        assert_eq!(asked(503, &none, ""), None);
        assert_eq!(asked(503, &headers("3"), ""), Some(Duration::from_secs(3)));
        assert_eq!(asked(200, &headers("3"), ""), None);
    }
}
