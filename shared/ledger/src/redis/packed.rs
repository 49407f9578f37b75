//! The bytes of an outcome in Redis. The first one names the form, so later forms can stand beside these.
//!
//! | form | tag | rest |
//! |---|---|---|
//! | done | 1 | plan u48, sha256 32 bytes, size without its leading zero bytes |
//! | done, record without a sha256 | 2 | plan u48, sha256 32 bytes, md5 16 bytes, size u64 |
//! | failed | 3 | plan u48, then the failure as JSON |
//!
//! Numbers are big-endian. Done ones have at most 63 bytes, so that buckets stay packed. Their digests,
//! and the size where it may have to tell files apart, are combined (xor) with the sha256 of the file's
//! name: read under another name that shares bucket and field, they are no file's digests, and so the
//! other file is merely not known to be done. Failures stand under their whole names and need none of that.

use super::place::Place;
use crate::outcome::{Failure, FileOutcome, Recorded};

const DONE: u8 = 1;
const DONE_WITH_MD5: u8 = 2;
const FAILED: u8 = 3;

/// Bytes that are no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it has the unknown form {0}; a newer program wrote it, use that one")]
    Form(u8),
    #[error("it has a wrong length of {0} bytes")]
    Length(usize),
    #[error("its failure is no such JSON: {0}")]
    Failure(String),
}

/// Writes an outcome of a plan up to [`MAX_PLAN`](mirror_runtime::clock::MAX_PLAN) down.
pub(super) fn pack(place: &Place, plan: u64, outcome: &FileOutcome) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.push(match outcome {
        FileOutcome::Done { md5: None, .. } => DONE,
        FileOutcome::Done { md5: Some(_), .. } => DONE_WITH_MD5,
        FileOutcome::Failed(_) => FAILED,
    });
    bytes.extend(&plan.to_be_bytes()[2..]);
    match outcome {
        FileOutcome::Done { sha256, md5, size } => {
            bytes.extend(masked(place, *sha256));
            let size = size.to_be_bytes();
            match md5 {
                None => {
                    let zeros = size.iter().take_while(|byte| **byte == 0).count();
                    bytes.extend(&size[zeros..]);
                }
                Some(md5) => {
                    bytes.extend(masked(place, *md5));
                    bytes.extend(masked(place, size));
                }
            }
        }
        FileOutcome::Failed(failure) => {
            let json = serde_json::to_vec(failure).expect("numbers and texts only");
            bytes.extend(json);
        }
    }
    bytes
}

/// Reads what [`pack`] wrote for the file at this place.
pub(super) fn unpack(place: &Place, bytes: &[u8]) -> Result<Recorded, Unreadable> {
    let wrong_length = || Unreadable::Length(bytes.len());
    let (&tag, rest) = bytes.split_first().ok_or_else(wrong_length)?;
    let (plan, rest) = rest.split_first_chunk::<6>().ok_or_else(wrong_length)?;
    let plan = number(plan);
    let outcome = match tag {
        FAILED => {
            let failure: Failure = serde_json::from_slice(rest)
                .map_err(|error| Unreadable::Failure(error.to_string()))?;
            FileOutcome::Failed(failure)
        }
        DONE | DONE_WITH_MD5 => {
            let (sha256, rest) = rest.split_first_chunk().ok_or_else(wrong_length)?;
            let (md5, size) = if tag == DONE {
                if rest.len() > 8 {
                    return Err(wrong_length());
                }
                (None, number(rest))
            } else {
                let (md5, size) = rest.split_first_chunk().ok_or_else(wrong_length)?;
                let size: [u8; 8] = size.try_into().map_err(|_| wrong_length())?;
                (Some(masked(place, *md5)), number(&masked(place, size)))
            };
            FileOutcome::Done {
                sha256: masked(place, *sha256),
                md5,
                size,
            }
        }
        other => return Err(Unreadable::Form(other)),
    };
    Ok(Recorded { plan, outcome })
}

/// Combines bytes with the hash of the file's name, or takes it out again. What is shorter than the hash
/// takes its end, of which the field has nothing.
pub(super) fn masked<const N: usize>(place: &Place, mut bytes: [u8; N]) -> [u8; N] {
    let hash = &place.hash[place.hash.len() - N..];
    for (byte, mask) in bytes.iter_mut().zip(hash) {
        *byte ^= mask;
    }
    bytes
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::conformance::failed;
    use crate::outcome::Wanted;
    use crate::redis::place::Placement;
    use mirror_runtime::clock::MAX_PLAN;

    fn place(name: &str) -> Place {
        Placement::default().of(name)
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read_back(
            name in any::<String>(),
            plan in 0..=MAX_PLAN,
            done in any::<([u8; 32], Option<[u8; 16]>, u64)>(),
        ) {
            let (sha256, md5, size) = done;
            let place = place(&name);
            for outcome in [FileOutcome::Done { sha256, md5, size }, failed()] {
                let bytes = pack(&place, plan, &outcome);
                if matches!(outcome, FileOutcome::Done { .. }) {
                    prop_assert!(bytes.len() < 64, "the bucket would not stay packed");
                }
                prop_assert_eq!(unpack(&place, &bytes).unwrap(), Recorded { plan, outcome });
            }
        }

        #[test]
        fn under_another_name_no_file_is_recognised(
            names in any::<(String, String)>(),
            done in any::<([u8; 32], Option<[u8; 16]>, u64)>(),
        ) {
            let (sha256, md5, size) = done;
            prop_assume!(names.0 != names.1);
            let bytes = pack(&place(&names.0), 1, &FileOutcome::Done { sha256, md5, size });
            let read = unpack(&place(&names.1), &bytes).unwrap().outcome;
            let by_sha256 = Wanted { sha256: Some(sha256), ..Wanted::default() };
            prop_assert!(!read.is_done_as(&by_sha256));
            let by_md5 = Wanted { md5: md5.or(Some([0; 16])), ..Wanted::default() };
            prop_assert!(!read.is_done_as(&by_md5));
            if md5.is_some() {
                let by_size = Wanted { size: Some(size), ..Wanted::default() };
                prop_assert!(!read.is_done_as(&by_size));
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = unpack(&place("a"), &bytes);
        }
    }

    #[test]
    fn the_bytes_stay_what_they_are() {
        let outcome = FileOutcome::Done {
            sha256: [0; 32],
            md5: None,
            size: 258,
        };
        let packed = hex::encode(pack(&place("a"), 3, &outcome));
        // The sha256 of "a".
        let name = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        assert_eq!(packed, format!("01000000000003{name}0102"));
    }

    #[test]
    fn a_later_form_is_named() {
        let bytes = [9; 60];
        assert_eq!(unpack(&place("a"), &bytes), Err(Unreadable::Form(9)));
    }
}
