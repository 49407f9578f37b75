//! Whether two shards say the same, whoever wrote them: keys in any order, hashes in any of their forms, sections that
//! are empty there or not.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::ShardError;
use crate::zst;

/// The largest shard read, decompressed, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// How deep a shard may be nested. A record has a few levels.
const MAX_DEPTH: usize = 32;

/// Whether two compressed shards have the same records.
///
/// # Errors
/// When one of them cannot be read: damaged, no msgpack, or more than 256 MiB of content.
pub fn same_records(one: &[u8], other: &[u8]) -> Result<bool, ShardError> {
    Ok(records(one)? == records(other)?)
}

fn records(shard: &[u8]) -> Result<BTreeMap<String, Value>, ShardError> {
    let unreadable = |error: String| ShardError::Shard(error);
    let mut content = Vec::new();
    zst::decompress(shard, &mut content, MAX_BYTES)
        .map_err(|error| unreadable(error.to_string()))?;
    let mut reader = rmp_serde::Deserializer::from_read_ref(&content);
    reader.set_max_depth(MAX_DEPTH);
    let mut sections = BTreeMap::<String, Value>::deserialize(&mut reader)
        .map_err(|error| unreadable(error.to_string()))?;
    // `v3` holds sections itself.
    for value in sections.values_mut() {
        if let Value::Map(members) = value {
            members.retain(|_, value| !value.is_empty());
        }
    }
    sections.retain(|_, value| !value.is_empty());
    Ok(sections)
}

/// What msgpack holds, spelled one way.
#[derive(Debug, PartialEq)]
enum Value {
    Nothing,
    Bool(bool),
    Integer(i128),
    Number(f64),
    /// A float that is none. JSON has no such, so no shard of ours; but it is the same as itself.
    NoNumber,
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Map(members) if members.is_empty())
    }

    /// A hash as hex, however it is written.
    fn hash(self) -> Self {
        let Self::List(numbers) = &self else {
            return self;
        };
        let bytes: Option<Vec<u8>> = numbers
            .iter()
            .map(|number| match number {
                Self::Integer(number) => u8::try_from(*number).ok(),
                _ => None,
            })
            .collect();
        bytes.map_or(self, |bytes| Self::Text(hex::encode(bytes)))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a repodata record")
            }

            fn visit_unit<E: Error>(self) -> Result<Value, E> {
                Ok(Value::Nothing)
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Integer(value.into()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Integer(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
                Ok(match value.is_nan() {
                    true => Value::NoNumber,
                    false => Value::Number(value),
                })
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.to_owned()))
            }

            fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Value, E> {
                Ok(Value::Text(hex::encode(value)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = seq.next_element()? {
                    list.push(value);
                }
                Ok(Value::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    let value = match key.as_str() {
                        "sha256" | "md5" => value.hash(),
                        _ => value,
                    };
                    members.insert(key, value);
                }
                Ok(Value::Map(members))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};

    use super::*;

    fn shard(content: &Json) -> Vec<u8> {
        zstd::encode_all(&*rmp_serde::to_vec_named(content).unwrap(), 1).unwrap()
    }

    fn ours() -> Vec<u8> {
        let mut content = Vec::new();
        crate::msgpack::map(2, &mut content);
        crate::msgpack::text("packages", &mut content);
        crate::msgpack::map(0, &mut content);
        crate::msgpack::text("packages.conda", &mut content);
        crate::msgpack::map(1, &mut content);
        crate::msgpack::text("a-1-0.conda", &mut content);
        let record =
            br#"{"name":"a","size":5,"md5":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","depends":["b"]}"#;
        crate::msgpack::record(record, &mut content).unwrap();
        zstd::encode_all(&*content, 1).unwrap()
    }

    #[test]
    fn the_same_records_are_the_same_however_they_are_written() {
        for md5 in [
            json!("0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"),
            json!(vec![10; 16]),
        ] {
            let record = json!({"size": 5, "md5": md5, "name": "a", "depends": ["b"]});
            let theirs = json!({"packages.conda": {"a-1-0.conda": record}});
            assert!(same_records(&ours(), &shard(&theirs)).unwrap());
        }
    }

    #[test]
    fn another_record_more_or_fewer_are_not_the_same() {
        let record = json!({"size": 5, "md5": "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", "name": "a", "depends": ["b"]});
        let mut patched = record.clone();
        patched["depends"] = json!(["b <2"]);
        for theirs in [
            json!({"packages.conda": {"a-1-0.conda": patched}}),
            json!({"packages.conda": {"a-1-0.conda": record, "a-1-1.conda": record}}),
            json!({"packages": {"a-1-0.conda": record}}),
            json!({"packages.conda": {}}),
        ] {
            assert!(!same_records(&ours(), &shard(&theirs)).unwrap(), "{theirs}");
        }
    }

    #[test]
    fn what_is_no_shard_is_an_error() {
        for broken in [&b""[..], b"<html>", &shard(&json!([1]))] {
            assert!(same_records(&ours(), broken).is_err());
        }
        let mut deep = vec![0x91; 100_000];
        deep.push(0xc0);
        let mut nested = vec![0x81, 0xa1, b'p'];
        nested.extend(deep);
        let nested = zstd::encode_all(&*nested, 1).unwrap();
        assert!(same_records(&ours(), &nested).is_err());
    }
}
