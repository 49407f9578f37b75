//! zstd with both ends guarded: decompression stops at a limit, compression always states the content's size in the
//! frame, because some clients refuse frames without it.

use std::io::{self, Read, Write};

/// The level that everything we publish is compressed with. An index is made once per publication and read by every
/// client; above 9, time doubles for a few percent.
pub const LEVEL: i32 = 9;

const CHUNK: usize = 128 << 10;

/// Why a zstd stream could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ZstError {
    /// More content than allowed.
    #[error(
        "the zstd stream decompresses to more than {limit} bytes, the limit for an index; it is broken or hostile"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Not zstd, damaged or cut off; or the source failed.
    #[error("cannot decompress the zstd stream after {written} bytes of content: {error}")]
    Read {
        /// Content already produced.
        written: u64,
        /// What the decoder or the source said.
        error: io::Error,
    },
    /// The place for the content failed.
    #[error("cannot write decompressed content after {written} bytes: {error}")]
    Write {
        /// Content already written.
        written: u64,
        /// What the system answered.
        error: io::Error,
    },
    /// Nothing at all.
    #[error("expected a zstd stream and got no bytes")]
    Empty,
}

/// Decompresses all frames of `input` into `output` and returns the number of bytes written. Writes no more than
/// `limit` bytes; memory is bounded by the largest window that zstd accepts by default (128 MiB).
///
/// # Errors
/// See [`ZstError`]; what was written before an error is of no use.
pub fn decompress(input: impl Read, output: &mut impl Write, limit: u64) -> Result<u64, ZstError> {
    let mut written = 0;
    let mut buffer = vec![0; CHUNK];
    let mut decoder =
        zstd::Decoder::new(input).map_err(|error| ZstError::Read { written, error })?;
    let mut frames = false;
    loop {
        let count = decoder
            .read(&mut buffer)
            .map_err(|error| ZstError::Read { written, error })?;
        if count == 0 {
            break;
        }
        frames = true;
        if count as u64 > limit - written {
            return Err(ZstError::TooLarge { limit });
        }
        output
            .write_all(&buffer[..count])
            .map_err(|error| ZstError::Write { written, error })?;
        written += count as u64;
    }
    if frames {
        Ok(written)
    } else {
        Err(ZstError::Empty)
    }
}

/// Compresses the `size` bytes of `input` into one frame, on this thread only: the same bytes in give the same bytes out.
///
/// # Errors
/// Of either end; also when `input` is not exactly `size` bytes long.
pub fn compress(input: &mut impl Read, size: u64, output: impl Write) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(output, LEVEL)?;
    encoder.set_pledged_src_size(Some(size))?;
    io::copy(input, &mut encoder)?;
    encoder.finish()?.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn compressed(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        compress(&mut &*content, content.len() as u64, &mut out).unwrap();
        out
    }

    #[test]
    fn frames_state_their_size_and_round_trip() {
        let content = b"{\"packages\":{}}".repeat(50_000);
        let frame = compressed(&content);
        assert_eq!(
            zstd::zstd_safe::get_frame_content_size(&frame).unwrap(),
            Some(content.len() as u64)
        );
        let mut out = Vec::new();
        assert_eq!(
            decompress(&*frame, &mut out, content.len() as u64).unwrap(),
            content.len() as u64
        );
        assert_eq!(out, content);
        assert_eq!(frame, compressed(&content));
    }

    #[test]
    fn frames_without_size_and_frames_in_a_row_are_read() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(b"one ").unwrap();
        let mut stream = encoder.finish().unwrap();
        assert_eq!(
            zstd::zstd_safe::get_frame_content_size(&stream).unwrap(),
            None
        );
        stream.extend(zstd::encode_all(&b"two"[..], 1).unwrap());
        let mut out = Vec::new();
        decompress(&*stream, &mut out, 100).unwrap();
        assert_eq!(out, b"one two");
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = compressed(&vec![0; 50 << 20]);
        let mut out = Vec::new();
        let result = decompress(&*bomb, &mut out, 1 << 20);
        assert!(
            matches!(result, Err(ZstError::TooLarge { limit: 1_048_576 })),
            "{result:?}"
        );
        assert!(out.len() <= 1 << 20);
    }

    #[test]
    fn a_frame_that_asks_for_more_memory_than_any_index_needs_is_refused() {
        for (window_log, accepted) in [(27, true), (28, false)] {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window_log).unwrap();
            encoder.write_all(b"little").unwrap();
            let frame = encoder.finish().unwrap();
            let result = decompress(&*frame, &mut io::sink(), 1000);
            assert_eq!(result.is_ok(), accepted, "{window_log}: {result:?}");
        }
    }

    #[test]
    fn cut_off_at_any_byte_or_not_zstd_is_an_error() {
        let frame = compressed(b"some content, some content, some more content");
        for end in 0..frame.len() {
            assert!(
                decompress(&frame[..end], &mut io::sink(), 1000).is_err(),
                "{end}"
            );
        }
        assert!(decompress(&b"<html>"[..], &mut io::sink(), 1000).is_err());
    }

    #[test]
    fn a_wrong_size_is_an_error_and_no_frame() {
        assert!(compress(&mut &b"abc"[..], 2, Vec::new()).is_err());
        assert!(compress(&mut &b"abc"[..], 4, Vec::new()).is_err());
    }
}
