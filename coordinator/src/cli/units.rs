//! Sizes and spans of time as people write them.

use std::time::Duration;

/// `500MB`, `20GiB`, `1000000`.
pub(super) fn size(text: &str) -> Result<u64, String> {
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
        .ok_or_else(|| format!("`{text}` is too large"))
}

/// `30s`, `10m`, `6h`, `1d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        split(text).ok_or_else(|| format!("`{text}` is no span such as 30s, 10m or 6h"))?;
    let scale = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("`{text}` needs a unit: s, m, h or d")),
    };
    // A year is more than any run; the sum with a clock must not overflow.
    let seconds = number
        .checked_mul(scale)
        .filter(|seconds| *seconds <= 366 * 86_400);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("`{text}` is too long"))
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
        assert_eq!(size("500MB"), Ok(500_000_000));
        assert_eq!(size("2 GiB"), Ok(2 << 30));
        assert_eq!(size("17"), Ok(17));
        assert_eq!(span("6h"), Ok(Duration::from_secs(21_600)));
        for bad in ["", "x", "5 parsecs", "99999999999999TB", "-1"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for bad in ["6", "h", "99999999999999d", "-1s"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }
}
