//! What passes for an index by its looks.

use std::io::{self, Write};

pub(super) const HTML: &str = "looks like an HTML page";

/// Lets a JSON object through to the file and remembers how it ends; stops at anything else.
pub(super) struct Document<W> {
    pub(super) file: W,
    pub(super) begun: bool,
    pub(super) last: Option<u8>,
    pub(super) stranger: Option<&'static str>,
}

impl<W> Document<W> {
    pub(super) fn new(file: W) -> Self {
        Self {
            file,
            begun: false,
            last: None,
            stranger: None,
        }
    }
}

impl<W: Write> Write for Document<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.begun
            && let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace())
        {
            self.begun = true;
            self.stranger = match first {
                b'{' => None,
                b'<' => Some(HTML),
                _ => Some("does not begin as a JSON object"),
            };
        }
        if self.stranger.is_some() {
            return Err(io::Error::other("no repodata"));
        }
        let count = self.file.write(bytes)?;
        let written = &bytes[..count];
        let last = written
            .iter()
            .rfind(|byte| !byte.is_ascii_whitespace())
            .copied();
        self.last = last.or(self.last);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
