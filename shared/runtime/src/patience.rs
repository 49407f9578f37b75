//! How long a host asks to be left alone: `Retry-After`, read from texts alone and kept within bounds.

use std::time::{Duration, SystemTime};

/// `Retry-After: 0`, or the milliseconds that some hosts name, would have us ask in a tight loop.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// No header of a foreign host puts the mirror to sleep for longer than this.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// The pause that a `Retry-After` header asks for (RFC 9110, 10.2.3), [`bounded`]: whole seconds or
/// an HTTP date. A date is taken relative to the answer's own `Date`, so that a clock apart from
/// ours does not matter, and to `now` where the answer has none. `None` if it is neither.
#[must_use]
pub fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(bounded(value.parse().map_or(LONGEST, Duration::from_secs)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let answered = date
        .and_then(|date| httpdate::parse_http_date(date.trim()).ok())
        .unwrap_or(now);
    Some(bounded(until.duration_since(answered).unwrap_or_default()))
}

/// `pause`, no shorter than [`SHORTEST`] and no longer than [`LONGEST`].
#[must_use]
pub fn bounded(pause: Duration) -> Duration {
    pause.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 01:46:40 of 9 September 2001.
    const NOW: Duration = Duration::from_secs(1_000_000_000);

    fn seconds(value: &str, date: Option<&str>) -> Option<u64> {
        retry_after(value, date, SystemTime::UNIX_EPOCH + NOW).map(|pause| pause.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(seconds("17", None), Some(17));
        assert_eq!(seconds(" 17 ", None), Some(17));
        assert_eq!(seconds("Sun, 09 Sep 2001 01:47:10 GMT", None), Some(30));
    }

    #[test]
    fn a_date_is_relative_to_the_hosts_clock() {
        let date = Some("Mon, 07 Jan 2030 00:00:00 GMT");
        assert_eq!(seconds("Mon, 07 Jan 2030 00:00:20 GMT", date), Some(20));
        assert_eq!(
            seconds("Sun, 09 Sep 2001 01:47:10 GMT", Some("today")),
            Some(30)
        );
    }

    #[test]
    fn pauses_are_never_endless_and_never_nothing() {
        for endless in ["9999999999", "99999999999999999999999999"] {
            assert_eq!(seconds(endless, None), Some(3600), "{endless}");
        }
        for nothing in ["0", "Sun, 09 Sep 2001 01:00:00 GMT"] {
            assert_eq!(seconds(nothing, None), Some(1), "{nothing}");
        }
    }

    #[test]
    fn what_is_neither_names_no_pause() {
        for neither in ["", "soon", "-5", "1.5", "+5"] {
            assert_eq!(seconds(neither, None), None, "{neither}");
        }
    }
}
