//! `--newer-than`: a date, or an age counted back from now.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::SelectionError;
use super::error::{TimeError, one_line, shortened};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The longest age, in seconds: longer than conda exists, short enough for every clock.
const MAX_AGE: u64 = 200 * 365 * DAY;

/// How old a build may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewerThan {
    /// Built at this time or later, in Unix milliseconds.
    Date(u64),
    /// Built within this span before now.
    Age(Duration),
}

impl NewerThan {
    /// The oldest time that is still new enough, in Unix milliseconds, where now is `now_ms`.
    pub(super) fn since_ms(self, now_ms: u64) -> u64 {
        match self {
            Self::Date(since_ms) => since_ms,
            Self::Age(age) => {
                now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
            }
        }
    }
}

/// As it was meant, whatever the time is now: an age stays an age.
impl fmt::Display for NewerThan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(since_ms) => write!(f, "date {since_ms}"),
            Self::Age(age) => write!(f, "age {}", age.as_millis()),
        }
    }
}

impl FromStr for NewerThan {
    type Err = SelectionError;

    /// `2026-01-31` (midnight UTC), `2026-01-31T12:00:00Z` (or another offset), or an age such as `90m`, `36h`, `30d`,
    /// `2w`, `1y` (365 days).
    fn from_str(given: &str) -> Result<Self, SelectionError> {
        let text = given.trim();
        let parsed = match text.find(|c: char| !c.is_ascii_digit()) {
            Some(0) => Err(TimeError::Neither),
            Some(4) if text[4..].starts_with('-') => date(text),
            // A date of another country.
            Some(_) if text.contains(['/', '.', ':']) => Err(TimeError::Neither),
            Some(end) => age(&text[..end], text[end..].trim_start()),
            None if text.is_empty() => Err(TimeError::Neither),
            None => Err(TimeError::Unit),
        };
        parsed.map_err(|problem| SelectionError::NewerThan {
            text: shortened(given),
            problem,
        })
    }
}

fn date(text: &str) -> Result<NewerThan, TimeError> {
    let reason = |error: jiff::Error| TimeError::Date(one_line(error));
    let time = if text.contains(['T', 't', ' ']) {
        text.parse::<Timestamp>().map_err(reason)?
    } else {
        let date = text.parse::<Date>().map_err(reason)?;
        date.to_zoned(TimeZone::UTC).map_err(reason)?.timestamp()
    };
    u64::try_from(time.as_millisecond())
        .map(NewerThan::Date)
        .map_err(|_| TimeError::Early)
}

fn age(number: &str, unit: &str) -> Result<NewerThan, TimeError> {
    let scale = match unit {
        "m" | "min" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => 7 * DAY,
        "y" => 365 * DAY,
        _ => return Err(TimeError::Unit),
    };
    let number: u64 = number.parse().map_err(|_| TimeError::Long)?;
    match number.checked_mul(scale) {
        Some(0) => Err(TimeError::Zero),
        Some(seconds) if seconds <= MAX_AGE => Ok(NewerThan::Age(Duration::from_secs(seconds))),
        _ => Err(TimeError::Long),
    }
}
