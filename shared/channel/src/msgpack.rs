//! JSON carried over to msgpack as it streams by: objects become maps with the same keys in the same order, integers stay
//! integers up to `u64` and `i64`, other numbers become `f64`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Appends the JSON value to `out` as msgpack.
pub(crate) fn value(json: &[u8], out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    convert(json, Value { out, hashes: false })
}

/// Appends a repodata record to `out` as msgpack, its `sha256` and `md5` as binary, as shards have them.
pub(crate) fn record(json: &[u8], out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    convert(json, Value { out, hashes: true })
}

/// Appends a text.
pub(crate) fn text(text: &str, out: &mut Vec<u8>) {
    rmp::encode::write_str(out, text).expect("a Vec takes all");
}

/// Appends bytes.
pub(crate) fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    rmp::encode::write_bin(out, bytes).expect("a Vec takes all");
}

/// Appends the head of a map of `len` entries.
pub(crate) fn map(len: usize, out: &mut Vec<u8>) {
    rmp::encode::write_map_len(
        out,
        u32::try_from(len).expect("far fewer entries than bytes allowed"),
    )
    .expect("a Vec takes all");
}

fn convert(json: &[u8], value: Value<'_>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    value.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Value<'a> {
    out: &'a mut Vec<u8>,
    /// Whether this is a record, whose hashes become binary.
    hashes: bool,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        rmp::encode::write_nil(self.out).map_err(E::custom)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        rmp::encode::write_bool(self.out, value).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        rmp::encode::write_uint(self.out, value)
            .map(drop)
            .map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        rmp::encode::write_sint(self.out, value)
            .map(drop)
            .map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        rmp::encode::write_f64(self.out, value).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        rmp::encode::write_str(self.out, value).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let start = self.out.len();
        let mut len = 0;
        while seq
            .next_element_seed(Value {
                out: &mut *self.out,
                hashes: false,
            })?
            .is_some()
        {
            len += 1;
        }
        let mut head = Vec::with_capacity(5);
        rmp::encode::write_array_len(&mut head, len).map_err(A::Error::custom)?;
        self.out.splice(start..start, head);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let start = self.out.len();
        let mut len = 0;
        while let Some(hash) = entries.next_key_seed(KeyText {
            out: &mut *self.out,
        })? {
            match hash.filter(|_| self.hashes) {
                Some(bytes) => entries.next_value_seed(Hash {
                    out: &mut *self.out,
                    bytes,
                })?,
                None => entries.next_value_seed(Value {
                    out: &mut *self.out,
                    hashes: false,
                })?,
            }
            len += 1;
        }
        let mut head = Vec::with_capacity(5);
        map(len, &mut head);
        self.out.splice(start..start, head);
        Ok(())
    }
}

/// Writes a key and says how many bytes its hash has if it names one.
struct KeyText<'a> {
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for KeyText<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyText<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        text(key, self.out);
        Ok(match key {
            "sha256" => Some(32),
            "md5" => Some(16),
            _ => None,
        })
    }
}

/// A hash of `bytes` bytes: binary if it is a hex string of that length, nil if empty, else as it is.
struct Hash<'a> {
    out: &'a mut Vec<u8>,
    bytes: usize,
}

impl<'de> DeserializeSeed<'de> for Hash<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Hash<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash in hex, or null")
    }

    fn visit_str<E: Error>(self, hex: &str) -> Result<(), E> {
        if hex.is_empty() {
            return self.visit_unit();
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex, &mut bytes[..self.bytes]).map_err(E::custom)?;
        binary(&bytes[..self.bytes], self.out);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        rmp::encode::write_nil(self.out).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests;
