//! Changes to bytes, of the kinds that break readers.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A change to some bytes.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Byte(Index, u8),
    /// What a number field is most easily broken with.
    Ones(Index),
    Cut(Index),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// What means something to some reader.
    Insert(Index, &'static str),
}

const MEANINGFUL: [&str; 24] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1e999",
    "-1",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "../",
    "/",
    "%2e%2e",
    "@",
    "?",
    "#",
    "\n",
    "\u{1b}[2J",
    "é",
    " ",
];

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Byte(at, byte)),
            2 => any::<Index>().prop_map(Self::Ones),
            1 => any::<Index>().prop_map(Self::Cut),
            1 => (any::<Index>(), 1_usize..600).prop_map(|(at, len)| Self::Remove(at, len)),
            1 => (any::<Index>(), 1_usize..600).prop_map(|(at, len)| Self::Repeat(at, len)),
            4 => (any::<Index>(), select(&MEANINGFUL[..])).prop_map(|(at, text)| Self::Insert(at, text)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let all = bytes.len();
        let end = |at: usize, len: usize| (at + len).min(all);
        match self {
            Self::Byte(at, byte) => *at.get_mut(bytes) = *byte,
            Self::Ones(at) => {
                let at = at.index(all);
                bytes[at..end(at, 8)].fill(0xff);
            }
            Self::Cut(at) => bytes.truncate(at.index(all)),
            Self::Remove(at, len) => {
                let at = at.index(all);
                bytes.drain(at..end(at, *len));
            }
            Self::Repeat(at, len) => {
                let at = at.index(all);
                let again = bytes[at..end(at, *len)].to_vec();
                bytes.splice(at..at, again);
            }
            Self::Insert(at, text) => {
                let at = at.index(all);
                bytes.splice(at..at, text.bytes());
            }
        }
    }
}

/// `bytes` after a few changes.
pub(crate) fn damaged(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(Damage::any(), 1..5).prop_map(move |changes| {
        let mut bytes = bytes.clone();
        for change in changes {
            change.apply(&mut bytes);
        }
        bytes
    })
}
