//! Hashes written in hex: two of each record, millions in an index.

/// The bytes that exactly this many pairs of hex digits stand for.
pub(super) fn digest<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    let (pairs, odd) = hex.as_chunks::<2>();
    if pairs.len() != N || !odd.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    // Looked at together at the end: a branch for each digit takes longer than all the rest.
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (NIBBLES[usize::from(*high)], NIBBLES[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    (seen & NO_DIGIT == 0).then_some(bytes)
}

const NO_DIGIT: u8 = 0x80;

/// What each byte stands for as a hex digit.
static NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        let lower = b"0123456789abcdef"[digit as usize];
        nibbles[lower as usize] = digit;
        nibbles[lower.to_ascii_uppercase() as usize] = digit;
        digit += 1;
    }
    nibbles
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_two_bytes_are_read_as_another_reader_of_hex_reads_them() {
        for high in 0..=u8::MAX {
            for low in 0..=u8::MAX {
                let hex = [b'0', b'f', high, low, b'A', b'0'];
                let mut expected = [0; 3];
                let expected = hex::decode_to_slice(hex, &mut expected)
                    .ok()
                    .map(|()| expected);
                assert_eq!(digest::<3>(&hex), expected, "{hex:?}");
            }
        }
        for other in [&b""[..], b"00", b"0000000", b"000", b"00000"] {
            assert_eq!(digest::<3>(other), None);
        }
    }
}
