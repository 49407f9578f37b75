//! A shortcut for records as nearly all are: no escapes, whole numbers, little nesting.
//!
//! What it accepts, [`Fields`]'s own reader accepts with the same result, at several times the cost. Whatever it does not
//! expect, sound or not, it leaves to that one, which also says what is wrong.

use std::borrow::Cow;

use super::fields::Fields;
use crate::repodata::swar::plain_end;

/// Objects and arrays within each other that are followed.
const DEPTH: u32 = 8;
/// Keys of one object that are compared.
const KEYS: usize = 32;
/// Digits that every number type has room for.
const DIGITS: usize = 18;

/// The fields of a record, if it is as expected.
pub(super) fn fields(text: &str) -> Option<Fields<'_>> {
    let mut reader = Reader {
        text,
        rest: text.as_bytes(),
    };
    let mut fields = Fields::default();
    reader.token(b'{')?;
    reader.members(|reader, key| {
        let field = match key {
            "name" => &mut fields.name,
            "version" => &mut fields.version,
            "build" => &mut fields.build,
            "sha256" => &mut fields.sha256,
            "md5" => &mut fields.md5,
            "size" => {
                fields.size = match reader.peek()? {
                    b'n' => reader.word("null").map(|()| None)?,
                    _ => Some(reader.digits()?),
                };
                return Some(());
            }
            _ => return reader.value(DEPTH),
        };
        *field = match reader.peek()? {
            b'n' => reader.word("null").map(|()| None)?,
            _ => Some(Cow::Borrowed(reader.string()?)),
        };
        Some(())
    })?;
    reader.peek().is_none().then_some(fields)
}

struct Reader<'a> {
    text: &'a str,
    /// The end of `text` that is not read yet.
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next byte that is no white space, which is passed.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.rest {
                [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] => self.rest = rest,
                rest => return rest.first().copied(),
            }
        }
    }

    /// Passes this byte, which must be next.
    #[inline]
    fn token(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.rest = &self.rest[1..])
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word.as_bytes())?;
        Some(())
    }

    /// Passes the string whose quote is next.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.rest = self.rest.strip_prefix(b"\"")?;
        let start = self.text.len() - self.rest.len();
        let end = plain_end(self.rest)?;
        self.rest = &self.rest[end + 1..];
        self.text.get(start..start + end)
    }

    /// A number without sign or fraction.
    #[inline]
    fn digits(&mut self) -> Option<u64> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let count = digits.count();
        let (digits, rest) = self.rest.split_at(count);
        if count == 0 || count > DIGITS || (count > 1 && digits[0] == b'0') {
            return None;
        }
        if let [b'.' | b'e' | b'E', ..] = rest {
            return None;
        }
        self.rest = rest;
        let add = |sum, digit: &u8| sum * 10 + u64::from(digit - b'0');
        Some(digits.iter().fold(0, add))
    }

    /// The members of the object whose brace has been passed, to its end. `value` passes the value of a key.
    #[inline]
    fn members(&mut self, mut value: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        let mut keys = Few::new();
        if self.peek()? == b'}' {
            return self.token(b'}');
        }
        loop {
            self.peek()?;
            let key = self.string()?;
            keys.add(key)?;
            self.token(b':')?;
            self.peek()?;
            value(self, key)?;
            match self.peek()? {
                b',' => self.token(b',')?,
                _ => return self.token(b'}'),
            }
        }
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'0'..=b'9' => self.digits().map(drop),
            b'-' => {
                self.token(b'-')?;
                self.digits().map(drop)
            }
            b'{' => {
                self.token(b'{')?;
                self.members(|reader, _| reader.value(depth))
            }
            b'[' => {
                self.token(b'[')?;
                if self.peek()? == b']' {
                    return self.token(b']');
                }
                loop {
                    self.value(depth)?;
                    match self.peek()? {
                        b',' => self.token(b',')?,
                        _ => return self.token(b']'),
                    }
                }
            }
            b't' => self.word("true"),
            b'f' => self.word("false"),
            _ => self.word("null"),
        }
    }
}

/// The keys of an object. Sorted ones, as indexes nearly always have, are compared once each.
struct Few<'a> {
    keys: [&'a str; KEYS],
    count: usize,
    sorted: bool,
}

impl<'a> Few<'a> {
    #[inline]
    fn new() -> Self {
        Self {
            keys: [""; KEYS],
            count: 0,
            sorted: true,
        }
    }

    /// Adds a key; `None` if it was there before, or there are too many to tell.
    #[inline]
    fn add(&mut self, key: &'a str) -> Option<()> {
        let (met, free) = self.keys.split_at_mut(self.count);
        self.sorted &= met.last().is_none_or(|last| is_less(last, key));
        if !self.sorted && met.contains(&key) {
            return None;
        }
        *free.first_mut()? = key;
        self.count += 1;
        Some(())
    }
}

/// The order of texts, for those that mostly differ in their first byte.
#[inline]
fn is_less(a: &str, b: &str) -> bool {
    match (a.as_bytes(), b.as_bytes()) {
        ([a, ..], [b, ..]) if a != b => a < b,
        _ => a < b,
    }
}

#[cfg(test)]
mod tests;
