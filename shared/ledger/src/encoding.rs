//! The bytes of a recorded outcome. The first one names the form, so later forms can stand beside
//! these; a million done files take 49 bytes each.
//!
//! | form | tag | rest |
//! |---|---|---|
//! | done | 1 | plan u64, sha256 32 bytes, size u64 |
//! | done, record without a sha256 | 2 | the same, then md5 16 bytes |
//! | failed | 3 | plan u64, then the failure as JSON |
//!
//! Numbers are big-endian.

use crate::outcome::{Failure, FileOutcome, Recorded};

const DONE: u8 = 1;
const DONE_WITH_MD5: u8 = 2;
const FAILED: u8 = 3;

/// Bytes that are no recorded outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableOutcome {
    /// A form that only a later version knows.
    #[error("recorded outcome of unknown form {0}")]
    UnknownForm(u8),
    /// Fewer or more bytes than the form has.
    #[error("recorded outcome has a wrong length of {0} bytes")]
    Length(usize),
    /// The JSON of a failure is none.
    #[error("recorded failure: {0}")]
    Failure(String),
}

/// Writes an outcome down.
#[must_use]
pub fn encode(recorded: &Recorded) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(65);
    let tag = match &recorded.outcome {
        FileOutcome::Done { md5: None, .. } => DONE,
        FileOutcome::Done { md5: Some(_), .. } => DONE_WITH_MD5,
        FileOutcome::Failed(_) => FAILED,
    };
    bytes.push(tag);
    bytes.extend(recorded.plan.to_be_bytes());
    match &recorded.outcome {
        FileOutcome::Done { sha256, md5, size } => {
            bytes.extend(sha256);
            bytes.extend(size.to_be_bytes());
            bytes.extend(md5.iter().flatten());
        }
        FileOutcome::Failed(failure) => {
            let json = serde_json::to_vec(failure).expect("numbers and texts only");
            bytes.extend(json);
        }
    }
    bytes
}

/// Whether the bytes are those of a failure.
#[must_use]
pub fn is_failure(bytes: &[u8]) -> bool {
    bytes.first() == Some(&FAILED)
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// When the bytes have another form.
pub fn decode(bytes: &[u8]) -> Result<Recorded, UnreadableOutcome> {
    let wrong_length = || UnreadableOutcome::Length(bytes.len());
    let (&tag, rest) = bytes.split_first().ok_or_else(wrong_length)?;
    if !(DONE..=FAILED).contains(&tag) {
        return Err(UnreadableOutcome::UnknownForm(tag));
    }
    let (plan, rest) = rest.split_first_chunk().ok_or_else(wrong_length)?;
    let plan = u64::from_be_bytes(*plan);
    if tag == FAILED {
        let failure: Failure = serde_json::from_slice(rest)
            .map_err(|error| UnreadableOutcome::Failure(error.to_string()))?;
        let outcome = FileOutcome::Failed(failure);
        return Ok(Recorded { plan, outcome });
    }
    let (sha256, rest) = rest.split_first_chunk().ok_or_else(wrong_length)?;
    let (size, rest) = rest.split_first_chunk().ok_or_else(wrong_length)?;
    let md5 = match tag {
        DONE if rest.is_empty() => None,
        DONE_WITH_MD5 => Some(rest.try_into().map_err(|_| wrong_length())?),
        _ => return Err(wrong_length()),
    };
    let outcome = FileOutcome::Done {
        sha256: *sha256,
        md5,
        size: u64::from_be_bytes(*size),
    };
    Ok(Recorded { plan, outcome })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::outcome::FailureKind;
    use proptest::prelude::*;

    fn outcomes() -> impl Strategy<Value = FileOutcome> {
        let kind = prop_oneof![
            Just(FailureKind::Retry),
            Just(FailureKind::Denied),
            Just(FailureKind::Permanent),
            Just(FailureKind::Refused),
            Just(FailureKind::Local),
            Just(FailureKind::Absent),
        ];
        let failed = (kind, any::<(String, u32, u64, Option<[u8; 32]>)>());
        prop_oneof![
            any::<([u8; 32], Option<[u8; 16]>, u64)>()
                .prop_map(|(sha256, md5, size)| FileOutcome::Done { sha256, md5, size }),
            failed.prop_map(
                |(kind, (cause, attempts, at_ms, sha256))| FileOutcome::Failed(Failure {
                    kind,
                    cause: cause.into(),
                    attempts,
                    at_ms,
                    sha256,
                })
            ),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(plan: u64, outcome in outcomes()) {
            let recorded = Recorded { plan, outcome };
            prop_assert_eq!(decode(&encode(&recorded)).unwrap(), recorded);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_cut_or_lengthened_outcome_is_no_outcome(plan: u64, outcome in outcomes(), cut: prop::sample::Index) {
            let bytes = encode(&Recorded { plan, outcome });
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
            prop_assert!(decode(&[&bytes[..], b"x"].concat()).is_err());
        }
    }

    #[test]
    fn the_bytes_stay_what_they_are() {
        let outcome = FileOutcome::Done {
            sha256: [7; 32],
            md5: None,
            size: 258,
        };
        let bytes = encode(&Recorded { plan: 3, outcome });
        let sha256 = "07".repeat(32);
        let known = format!("01{:016x}{sha256}{:016x}", 3, 258);
        assert_eq!(hex::encode(&bytes), known);

        let json = br#"{"kind":"denied","cause":"403","attempts":2,"at_ms":9,"later":[1]}"#;
        let bytes = [&[FAILED][..], &4u64.to_be_bytes(), json].concat();
        let failure = Failure {
            kind: FailureKind::Denied,
            cause: "403".into(),
            attempts: 2,
            at_ms: 9,
            sha256: None,
        };
        let outcome = FileOutcome::Failed(failure);
        assert_eq!(decode(&bytes).unwrap(), Recorded { plan: 4, outcome });

        let kind = serde_json::to_string(&FailureKind::Absent).unwrap();
        assert_eq!(kind, r#""absent""#);
    }

    #[test]
    fn a_later_form_is_named() {
        assert_eq!(decode(&[9]), Err(UnreadableOutcome::UnknownForm(9)));
    }
}
