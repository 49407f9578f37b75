//! Numbers, sizes and spans of time as people write them, on the command line and in a configuration file.
//!
//! What is refused is not repeated: whatever stands in a file in the place of a number may be a secret.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

const A_COUNT: &str = "expected a whole number above 0";
const A_WHOLE: &str = "expected a whole number";
const A_SIZE: &str = "expected a size such as \"500MB\" or \"1.5GiB\", or a number of bytes";
const A_SPAN: &str = "expected a span such as \"30s\", \"10m\", \"6h\" or \"1d\"";
/// Digits after the point of a size that are read: more than bytes can be told by.
const DECIMALS: usize = 9;
/// A year, in seconds, is more than any run; the sum with a clock must not overflow.
const LONGEST: u64 = 366 * 86_400;

/// A whole number above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub NonZeroU32);

/// A whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole(pub u64);

/// A number of bytes: `500MB`, `1.5GiB`, `1000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// A span of time: `30s`, `10m`, `6h`, `1d`; at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| A_COUNT.to_owned())
    }
}

impl FromStr for Whole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| A_WHOLE.to_owned())
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text, |c| c.is_ascii_digit() || c == '.');
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let read = |digits: &str| digits.parse::<u64>().map_err(|_| A_SIZE.to_owned());
        let (whole, part) = (read(whole)?, read(decimals)?);
        let scale: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "t" | "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => {
                return Err(format!(
                    "{A_SIZE}; the units are kB, MB, GB, TB, KiB, MiB, GiB, TiB"
                ));
            }
        };
        if decimals.len() > DECIMALS || (scale == 1 && part > 0) {
            return Err("bytes are whole; write fewer digits after the point".to_owned());
        }
        let part = u128::from(part) * u128::from(scale) / 10_u128.pow(decimals.len() as u32);
        let bytes = u128::from(whole) * u128::from(scale) + part;
        u64::try_from(bytes)
            .map(Self)
            .map_err(|_| "that is larger than any size there is".to_owned())
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text, |c| c.is_ascii_digit());
        let number: u64 = number.parse().map_err(|_| A_SPAN.to_owned())?;
        let scale = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(format!("{A_SPAN}: it needs a unit: s, m, h or d")),
        };
        match number.checked_mul(scale) {
            Some(seconds) if seconds <= LONGEST => Ok(Self(Duration::from_secs(seconds))),
            _ => Err("that is longer than a year, the longest span read".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Written::deserialize(deserializer)?.number();
        let count = number.and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?));
        count.map(Self).ok_or_else(|| Error::custom(A_COUNT))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Written::deserialize(deserializer)?.number();
        number.map(Self).ok_or_else(|| Error::custom(A_WHOLE))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse().map_err(Error::custom),
            Written::Other(_) => Err(Error::custom(A_SIZE)),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Text(text) => text.parse().map_err(Error::custom),
            _ => Err(Error::custom(A_SPAN)),
        }
    }
}

/// Anything, so that what is wrong is said in the words of what was expected.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
    Other(IgnoredAny),
}

impl Written {
    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(_) | Self::Other(_) => None,
        }
    }
}

/// A number and its unit.
fn split(text: &str, is_number: impl Fn(char) -> bool) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c| !is_number(c)).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_read_as_people_write_them() {
        assert_eq!("500MB".parse(), Ok(Size(500_000_000)));
        assert_eq!("2 GiB".parse(), Ok(Size(2 << 30)));
        assert_eq!("17".parse(), Ok(Size(17)));
        assert_eq!("6h".parse(), Ok(Span(Duration::from_secs(21_600))));
        for bad in ["", "x", "5 parsecs", "99999999999999TB", "-1", ".", "MB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
        for bad in ["6", "h", "99999999999999d", "-1s", "1.5h"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_may_have_a_decimal_point() {
        assert_eq!("1.5GB".parse(), Ok(Size(1_500_000_000)));
        assert_eq!("0.25 KiB".parse(), Ok(Size(256)));
        assert_eq!("1.000000001GB".parse(), Ok(Size(1_000_000_001)));
        for bad in ["1.5", "1.", ".5GB", "1.2.3MB", "0.0000000001TB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        let secret = "5hunter2";
        let said = [
            secret.parse::<Size>().err(),
            secret.parse::<Span>().err(),
            secret.parse::<Count>().err(),
            secret.parse::<Whole>().err(),
        ];
        for said in said.map(|said| said.expect("it is refused")) {
            assert!(
                !said.contains("hunter") && said.contains("expected"),
                "{said}"
            );
        }
    }
}
