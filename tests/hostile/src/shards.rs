//! A shard or a shard index, whoever wrote it.
//!
//! - A shard index that is read names its shards by 32 bytes each; spelled anew, with hashes in any of their three forms,
//!   it is read the same.
//! - A shard says the same as itself, and of two both or none says the same as the other.
//! - What no shard of ours can hold (a number that is none) is not taken for the same as anything else.

use std::collections::BTreeMap;

use mirror_channel::shards::{read_index, same_records};

/// `data` is a frame, or what is in one.
pub fn check(data: &[u8]) {
    let packed = zstd::bulk::compress(data, 1).unwrap();
    for frame in [data, &packed] {
        if let Ok(listed) = read_index(frame) {
            for form in [Form::Binary, Form::Integers, Form::Hex] {
                let spelled = zstd::bulk::compress(&spelled(&listed, form), 1).unwrap();
                assert_eq!(read_index(&spelled).unwrap(), listed, "{form:?}");
            }
        }
        compared(frame);
    }
}

fn compared(frame: &[u8]) {
    let empty = zstd::bulk::compress(&[0x80], 1).unwrap();
    let to_itself = same_records(frame, frame);
    let to_empty = same_records(frame, &empty);
    assert_eq!(to_itself.is_ok(), to_empty.is_ok());
    assert_eq!(to_empty.ok(), same_records(&empty, frame).ok());
    if let Ok(same) = to_itself {
        assert!(same, "a shard differs from itself");
    }
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Binary,
    Integers,
    Hex,
}

fn spelled(listed: &BTreeMap<String, [u8; 32]>, form: Form) -> Vec<u8> {
    let mut out = Vec::new();
    rmp::encode::write_map_len(&mut out, 2).unwrap();
    rmp::encode::write_str(&mut out, "info").unwrap();
    rmp::encode::write_map_len(&mut out, 0).unwrap();
    rmp::encode::write_str(&mut out, "shards").unwrap();
    rmp::encode::write_map_len(&mut out, u32::try_from(listed.len()).unwrap()).unwrap();
    for (name, hash) in listed {
        rmp::encode::write_str(&mut out, name).unwrap();
        match form {
            Form::Binary => rmp::encode::write_bin(&mut out, hash).unwrap(),
            Form::Hex => rmp::encode::write_str(&mut out, &hex::encode(hash)).unwrap(),
            Form::Integers => {
                rmp::encode::write_array_len(&mut out, 32).unwrap();
                for byte in hash {
                    rmp::encode::write_uint(&mut out, (*byte).into()).unwrap();
                }
            }
        }
    }
    out
}
