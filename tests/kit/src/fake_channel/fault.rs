//! What can go wrong, and when.

use std::{sync::Mutex, time::Duration};

use super::lock;

/// One way in which an answer is not what it should be. Offsets and lengths are bytes of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The right length, every byte inverted.
    WrongBytes,
    /// The right length, one byte inverted.
    Flipped {
        /// Which byte.
        at: u64,
    },
    /// The connection breaks after so many bytes; `Content-Length` had promised all of them.
    Cut {
        /// How many bytes are sent.
        after: u64,
    },
    /// A whole answer, with `Content-Length` to match, of a file that is too short.
    Short {
        /// How many bytes it has.
        length: u64,
    },
    /// A whole answer with so many bytes too many.
    TooLong {
        /// How many.
        extra: u64,
    },
    /// This status and a line of text.
    Status {
        /// The status.
        status: u16,
        /// The `Retry-After` header, if there is one: seconds or an HTTP date.
        retry_after: Option<String>,
    },
    /// Nothing more comes after so many bytes, until [`super::FakeChannel::release`].
    Stall {
        /// How many bytes are sent before.
        after: u64,
    },
    /// 302 to this URL.
    Redirect {
        /// The `Location`.
        to: String,
    },
    /// 302 to itself.
    RedirectLoop,
    /// The right bytes, but the header says that they are gzip.
    FalseGzip,
    /// 200 with a web page.
    Html,
    /// The answer, later.
    Delay(Duration),
}

impl Fault {
    /// This status, without `Retry-After`.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            retry_after: None,
        }
    }

    /// 429 with this `Retry-After`.
    pub fn too_many_requests(retry_after: &str) -> Self {
        Self::Status {
            status: 429,
            retry_after: Some(retry_after.to_owned()),
        }
    }
}

/// Which of the matching requests fail, counted from the call that set the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// All.
    Always,
    /// The first so many; then all is well.
    First(usize),
    /// Only this one; the first is 1.
    Nth(usize),
}

#[derive(Debug)]
struct Rule {
    path_suffix: String,
    fault: Fault,
    times: Times,
    seen: usize,
}

/// The rules, oldest first.
#[derive(Debug, Default)]
pub(super) struct Script(Mutex<Vec<Rule>>);

/// What the script has for one request.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) delay: Duration,
    pub(super) fault: Option<Fault>,
}

impl Script {
    pub(super) fn add(&self, path_suffix: &str, fault: Fault, times: Times) {
        lock(&self.0).push(Rule {
            path_suffix: path_suffix.to_owned(),
            fault,
            times,
            seen: 0,
        });
    }

    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Counts the request with every rule that matches it.
    pub(super) fn judge(&self, path: &str) -> Verdict {
        let mut verdict = Verdict::default();
        for rule in lock(&self.0)
            .iter_mut()
            .filter(|rule| path.ends_with(&rule.path_suffix))
        {
            rule.seen += 1;
            let applies = match rule.times {
                Times::Always => true,
                Times::First(count) => rule.seen <= count,
                Times::Nth(number) => rule.seen == number,
            };
            match &rule.fault {
                _ if !applies => {}
                Fault::Delay(delay) => verdict.delay += *delay,
                fault if verdict.fault.is_none() => verdict.fault = Some(fault.clone()),
                _ => {}
            }
        }
        verdict
    }
}
