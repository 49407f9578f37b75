//! Sizes and spans of time as people write them, on the command line and in a configuration file.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A number of bytes: `500MB`, `20GiB`, `1000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub u64);

/// A span of time: `30s`, `10m`, `6h`, `1d`; at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub Duration);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) =
            split(text).ok_or_else(|| format!("`{text}` is no size such as 500MB or 20GiB"))?;
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
                    "`{unit}` is no unit of size; known are kB, MB, GB, TB, KiB, MiB, GiB, TiB"
                ));
            }
        };
        number
            .checked_mul(scale)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is too large"))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) =
            split(text).ok_or_else(|| format!("`{text}` is no span such as 30s, 10m or 6h"))?;
        let scale = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(format!("`{text}` needs a unit: s, m, h or d")),
        };
        match number.checked_mul(scale) {
            // A year is more than any run; the sum with a clock must not overflow.
            Some(seconds) if seconds <= 366 * 86_400 => Ok(Self(Duration::from_secs(seconds))),
            _ => Err(format!("`{text}` is too long")),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a size such as \"500MB\", or a number of bytes"
)]
enum Written {
    Number(u64),
    Text(String),
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
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
        for bad in ["", "x", "5 parsecs", "99999999999999TB", "-1"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
        for bad in ["6", "h", "99999999999999d", "-1s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
