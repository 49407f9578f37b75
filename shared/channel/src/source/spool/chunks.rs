//! What comes over the network, as the thread that writes it reads it.

use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

/// The received chunks as one reader; its end is the end of the queue.
pub(super) struct Chunks {
    current: Bytes,
    rest: mpsc::Receiver<Bytes>,
}

impl Chunks {
    pub(super) fn new(rest: mpsc::Receiver<Bytes>) -> Self {
        Self {
            current: Bytes::new(),
            rest,
        }
    }

    fn fill(&mut self) -> Option<()> {
        while self.current.is_empty() {
            self.current = self.rest.blocking_recv()?;
        }
        Some(())
    }
}

/// The first byte of what is left that is no space, as far as the present chunk tells.
pub(super) fn peek(input: &mut impl BufRead) -> Option<u8> {
    let chunk = input.fill_buf().ok()?;
    let first = chunk.iter().find(|byte| !byte.is_ascii_whitespace());
    first.or_else(|| chunk.first()).copied()
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let _ = self.fill();
        Ok(&self.current)
    }

    fn consume(&mut self, count: usize) {
        self.current.advance(count);
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.fill().is_none() {
            return Ok(0);
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
