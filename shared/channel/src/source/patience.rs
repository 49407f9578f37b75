//! How long a channel's host asks us to wait. Pure: headers and the present time in, a time out.

use std::time::{Duration, SystemTime};

use mirror_runtime::patience;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The wait after a 429 that names no time.
const UNSAID: Duration = Duration::from_secs(10);

/// Until when the answer asks for patience; `None` if it does not. A 503 asks only if it names a
/// time, else it is a plain fault of the server.
pub(super) fn asked_until(
    status: StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> Option<SystemTime> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let named = text(RETRY_AFTER).and_then(|value| patience::retry_after(value, text(DATE), now));
    let wait = match status {
        StatusCode::TOO_MANY_REQUESTS => named.unwrap_or(UNSAID),
        StatusCode::SERVICE_UNAVAILABLE => named?,
        _ => return None,
    };
    Some(now + wait)
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
    fn a_429_and_a_503_may_name_their_time_by_the_servers_clock() {
        assert_eq!(wait(429, &[("retry-after", "17")]), Some(17));
        let headers = [
            ("date", "Mon, 07 Jan 2030 00:00:00 GMT"),
            ("retry-after", "Mon, 07 Jan 2030 00:00:20 GMT"),
        ];
        assert_eq!(wait(503, &headers), Some(20));
    }

    #[test]
    fn only_a_429_asks_without_naming_a_time() {
        assert_eq!(wait(429, &[]), Some(10));
        assert_eq!(wait(429, &[("retry-after", "soon")]), Some(10));
        assert_eq!(wait(503, &[]), None);
        assert_eq!(wait(500, &[("retry-after", "5")]), None);
    }
}
