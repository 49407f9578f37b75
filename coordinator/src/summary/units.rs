//! Numbers as people read them.

use std::time::Duration;

/// Bytes for people: `1.5 GB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.2} TB")
}

/// So many of something that has its plural in `s`: `1 file`, `2 files`.
pub(crate) fn number(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// A span for people: `2d 3h`, `5m 7s`, `0.4s`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", span.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How long ago a time was; a clock that goes before ours says just now.
pub(crate) fn ago(now_ms: u64, then_ms: u64) -> String {
    match now_ms.saturating_sub(then_ms) {
        0..1000 => "just now".to_owned(),
        passed => format!("{} ago", duration(Duration::from_millis(passed))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_numbers_and_spans_read_well() {
        assert_eq!(size(999), "999 B");
        assert_eq!(
            [0, 1, 2].map(|n| number(n, "file")),
            ["0 files", "1 file", "2 files"]
        );
        assert_eq!(size(1_500_000_000), "1.5 GB");
        assert_eq!(size(26_370_000_000_000), "26.37 TB");
        assert_eq!(duration(Duration::from_millis(400)), "0.4s");
        assert_eq!(duration(Duration::from_secs(3700)), "1h 1m");
        assert_eq!(duration(Duration::from_secs(200_000)), "2d 7h");
    }
}
