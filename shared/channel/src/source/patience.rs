//! How long a host asks us to wait. Pure: headers and the present time in, a time out.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The wait after a 429 that names no time.
const UNSAID: Duration = Duration::from_secs(10);
/// `Retry-After: 0` would have us ask in a tight loop.
const SHORTEST: Duration = Duration::from_secs(1);
/// No header of a foreign host puts the mirror to sleep for longer than this.
const LONGEST: Duration = Duration::from_secs(3600);

/// Until when the answer asks for patience; `None` if it does not. A 503 asks only if it names a
/// time, else it is a plain fault of the server.
pub(super) fn asked_until(
    status: StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> Option<SystemTime> {
    let named = retry_after(headers, now);
    let wait = match status {
        StatusCode::TOO_MANY_REQUESTS => named.unwrap_or(UNSAID),
        StatusCode::SERVICE_UNAVAILABLE => named?,
        _ => return None,
    };
    Some(now + wait.clamp(SHORTEST, LONGEST))
}

/// `Retry-After` (RFC 9110, 10.2.3): whole seconds or an HTTP date. A date is taken relative to
/// the answer's own `Date`, so that a clock apart from ours does not matter.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let answered = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .unwrap_or(now);
    Some(until.duration_since(answered).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wait(status: u16, headers: &[(&'static str, &str)]) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let until = asked_until(StatusCode::from_u16(status).unwrap(), &headers, now)?;
        Some(until.duration_since(now).unwrap().as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(wait(429, &[("retry-after", "17")]), Some(17));
        assert_eq!(wait(503, &[("retry-after", " 17 ")]), Some(17));
        // 1,000,000,000 is 01:46:40 of that day.
        let date = "Sun, 09 Sep 2001 01:47:10 GMT";
        assert_eq!(wait(429, &[("retry-after", date)]), Some(30));
    }

    #[test]
    fn a_date_is_relative_to_the_servers_clock() {
        let headers = [
            ("date", "Mon, 07 Jan 2030 00:00:00 GMT"),
            ("retry-after", "Mon, 07 Jan 2030 00:00:20 GMT"),
        ];
        assert_eq!(wait(429, &headers), Some(20));
    }

    #[test]
    fn waits_are_never_endless_and_never_nothing() {
        assert_eq!(wait(429, &[("retry-after", "9999999999")]), Some(3600));
        assert_eq!(wait(429, &[("retry-after", "0")]), Some(1));
        assert_eq!(
            wait(429, &[("retry-after", "Sun, 09 Sep 2001 01:00:00 GMT")]),
            Some(1)
        );
    }

    #[test]
    fn only_a_429_asks_without_naming_a_time() {
        assert_eq!(wait(429, &[]), Some(10));
        assert_eq!(wait(429, &[("retry-after", "soon")]), Some(10));
        assert_eq!(wait(503, &[]), None);
        assert_eq!(wait(500, &[("retry-after", "5")]), None);
    }
}
