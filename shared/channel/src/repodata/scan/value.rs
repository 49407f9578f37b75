//! Passing over one JSON value as fast as the bytes can be looked at: `memchr` inside strings, a table outside.

use std::io::Read;

use super::nesting::Nesting;
use crate::repodata::RepodataError;
use crate::repodata::window::Window;

/// The deepest nesting that is followed, in a record that is passed over for being nested too deep: its brackets are
/// matched one by one, so that no other reader of JSON sees a different end. 128 KiB of memory.
const MAX_FOLLOWED: u32 = 1 << 20;

/// What a byte outside strings means for finding the value's end.
const PLAIN: u8 = 0;
const QUOTE: u8 = 1;
const OPEN: u8 = 2;
const CLOSE: u8 = 3;

static KIND: [u8; 256] = {
    let mut table = [PLAIN; 256];
    table[b'"' as usize] = QUOTE;
    table[b'{' as usize] = OPEN;
    table[b'[' as usize] = OPEN;
    table[b'}' as usize] = CLOSE;
    table[b']' as usize] = CLOSE;
    table
};

/// Passes the value that begins at the next byte. Nesting over `max_depth` (at most 64) is for the window to judge.
pub(super) fn pass<R: Read>(window: &mut Window<R>, max_depth: u32) -> Result<(), RepodataError> {
    match window.peek()? {
        Some(b'"') => {
            window.advance(1);
            window.pass_string()
        }
        Some(b'{' | b'[') => pass_nested(window, max_depth.min(64)),
        Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => pass_scalar(window),
        None => Err(cut_off(window, "a value")),
        found => Err(syntax(window, found, "a value")),
    }
}

fn pass_nested<R: Read>(window: &mut Window<R>, max_depth: u32) -> Result<(), RepodataError> {
    let mut nesting = Nesting::default();
    loop {
        let Some(at) = window
            .rest()
            .iter()
            .position(|byte| KIND[usize::from(*byte)] != PLAIN)
        else {
            window.advance(window.rest().len());
            if !window.fill()? {
                return Err(cut_off(window, "a value"));
            }
            continue;
        };
        let byte = window.rest()[at];
        window.advance(at);
        match KIND[usize::from(byte)] {
            QUOTE => {
                window.advance(1);
                window.pass_string()?;
                continue;
            }
            OPEN => {
                let too_deep = |limit| RepodataError::TooDeep {
                    offset: window.offset(),
                    limit,
                };
                let depth = nesting.depth();
                if depth == MAX_FOLLOWED {
                    return Err(too_deep(MAX_FOLLOWED));
                }
                if depth == max_depth {
                    let error = too_deep(max_depth);
                    window.exceed(error)?;
                }
                nesting.open(byte == b'{');
            }
            _ => {
                if (byte == b'}') != nesting.in_object() {
                    let expected = if byte == b'}' { "']'" } else { "'}'" };
                    return Err(syntax(window, Some(byte), expected));
                }
                nesting.close();
            }
        }
        window.advance(1);
        if nesting.depth() == 0 {
            return Ok(());
        }
    }
}

fn pass_scalar<R: Read>(window: &mut Window<R>) -> Result<(), RepodataError> {
    loop {
        let end =
            |byte: &u8| !matches!(byte, b'a'..=b'z' | b'E' | b'0'..=b'9' | b'-' | b'+' | b'.');
        if let Some(at) = window.rest().iter().position(end) {
            window.advance(at);
            return Ok(());
        }
        window.advance(window.rest().len());
        if !window.fill()? {
            return Err(cut_off(window, "a value"));
        }
    }
}

fn cut_off<R: Read>(window: &Window<R>, inside: &'static str) -> RepodataError {
    RepodataError::CutOff {
        offset: window.offset(),
        inside,
    }
}

fn syntax<R: Read>(window: &Window<R>, found: Option<u8>, expected: &'static str) -> RepodataError {
    RepodataError::Syntax {
        offset: window.offset(),
        expected,
        found: RepodataError::found(found),
    }
}
