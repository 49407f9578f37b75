//! How fast a download is: too slow to go on with, or fast enough that its upload may begin.

use std::time::Duration;

use mirror_oci::body::LONGEST_WAIT;

/// How slow a download may be. One that is slower is given up: a server that sends a byte now and then
/// would hold a slot and its room in the spool for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Granted to every download, whatever came.
    pub grace: Duration,
    /// Bytes a second on the whole, after that.
    pub slowest: u64,
}

pub(crate) const PACE: Pace = Pace {
    grace: Duration::from_secs(60),
    slowest: 16 * 1024,
};

impl Pace {
    /// Whether so few bytes in so long a time are too few. What came counts, not what the record says.
    pub(crate) fn is_too_slow(self, elapsed: Duration, received: u64) -> bool {
        elapsed > self.grace + Duration::from_secs(received / self.slowest)
    }
}

/// So many bytes are no rate yet: they may come out of buffers on the way.
const UNTRUSTED: u64 = 1 << 20;

/// Whether the rest of a download of `size` bytes, of which `received` came in `elapsed`, is so near that its upload may
/// begin.
pub(crate) fn is_near(size: u64, received: u64, elapsed: Duration) -> bool {
    let rest = u128::from(size.saturating_sub(received));
    let at_this_rate = rest.saturating_mul(elapsed.as_nanos());
    received > UNTRUSTED && at_this_rate <= u128::from(received) * LONGEST_WAIT.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn near(size: u64, received: u64, seconds: u64) -> bool {
        is_near(size, received, Duration::from_secs(seconds))
    }

    #[test]
    fn a_slow_download_does_not_begin_its_upload_early() {
        // 10 MB/s
        assert!(!near(500 * MB, 10 * MB, 1));
        assert!(!near(500 * MB, 290 * MB, 29));
        assert!(near(500 * MB, 310 * MB, 31));
        // 100 kB/s
        assert!(!near(500 * MB, 490 * MB, 4900));
        assert!(near(500 * MB, 499 * MB, 4990));
    }

    #[test]
    fn a_fast_one_begins_it_as_soon_as_its_rate_is_known() {
        assert!(near(500 * MB, 25 * MB, 1));
        assert!(near(500 * MB, 2 * MB, 0));
        assert!(!near(500 * MB, MB / 2, 0), "out of buffers");
        assert!(!near(500 * MB, 0, 0));
    }

    #[test]
    fn no_size_is_too_large_to_reckon_with() {
        assert!(!near(u64::MAX, 2 * MB, u64::MAX));
        assert!(near(u64::MAX, u64::MAX, u64::MAX));
    }
}
