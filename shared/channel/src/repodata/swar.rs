//! Eight bytes at a time, for strings too short for `memchr` to be worth its call.

use memchr::memchr2;

/// Strings of more bytes than this are searched by `memchr`.
const SHORT: usize = 24;
const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
const ESCAPES: u64 = u64::from_ne_bytes([b'\\'; 8]);
const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);

/// Where the first quote or backslash is.
#[inline]
pub(super) fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < SHORT {
        let Some(eight) = bytes[at..].first_chunk::<8>() else {
            break;
        };
        let word = u64::from_le_bytes(*eight);
        let found = zeros(word ^ QUOTES) | zeros(word ^ ESCAPES);
        if found != 0 {
            return Some(at + first(found));
        }
        at += 8;
    }
    Some(at + memchr2(b'"', b'\\', &bytes[at..])?)
}

/// Where the string that `bytes` are the inside of ends: at its quote. `None` if it has escapes or bytes that JSON does
/// not allow in strings, or does not end.
#[inline]
pub(super) fn plain_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let control = word.wrapping_sub(SPACES) & !word & HIGH;
        let found = zeros(word ^ QUOTES) | zeros(word ^ ESCAPES) | control;
        if found != 0 {
            at += first(found);
            return (bytes[at] == b'"').then_some(at);
        }
        at += 8;
    }
    let rest = &bytes[at..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
    (rest[end] == b'"').then_some(at + end)
}

/// The high bit of each byte that is zero; also of some behind the first such.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// The first byte whose high bit is set. Those behind it may be borrowed from, so no other is to be asked for.
const fn first(found: u64) -> usize {
    found.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes of which many are next to those that are looked for.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let near = prop::sample::select(b"\"\\!#[]\x1f\x20\x00\x7f\x80\xa2\xdc\xff".to_vec());
        prop::collection::vec(prop_oneof![20 => Just(b'a'), 1 => near], 0..80)
    }

    proptest! {
        #[test]
        fn they_find_what_a_loop_finds(bytes in bytes()) {
            let ends = |byte: &u8| matches!(byte, b'"' | b'\\');
            prop_assert_eq!(quote_or_escape(&bytes), bytes.iter().position(ends));
            let stops = |byte: &u8| ends(byte) || *byte < 0x20;
            let plain = bytes.iter().position(stops).filter(|at| bytes[*at] == b'"');
            prop_assert_eq!(plain_end(&bytes), plain);
        }
    }

    #[test]
    fn each_byte_is_told_apart_at_each_place_of_a_string_and_at_the_end_of_what_is_there() {
        for (len, byte) in
            (0..=SHORT + 9).flat_map(|len| (0..=u8::MAX).map(move |byte| (len, byte)))
        {
            let mut bytes = vec![b'a'; len];
            for at in 0..len {
                bytes[at] = byte;
                bytes.push(b'"');
                let (found, plain) = match byte {
                    b'"' => (at, Some(at)),
                    b'\\' => (at, None),
                    0..0x20 => (len, None),
                    _ => (len, Some(len)),
                };
                assert_eq!(quote_or_escape(&bytes), Some(found), "{bytes:?}");
                assert_eq!(plain_end(&bytes), plain, "{bytes:?}");
                bytes.pop();
                let ends = matches!(byte, b'"' | b'\\').then_some(at);
                assert_eq!(quote_or_escape(&bytes), ends, "{bytes:?}");
                assert_eq!(plain_end(&bytes), (byte == b'"').then_some(at), "{bytes:?}");
                bytes[at] = b'a';
            }
        }
    }
}
