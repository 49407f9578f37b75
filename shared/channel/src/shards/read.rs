//! Reading a shard index, whoever wrote it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::ShardError;
use crate::zst;

/// The largest index read, decompressed, in bytes. conda-forge's 34,000 names need 2 MB.
const MAX_BYTES: u64 = 64 << 20;
/// How deep it may be nested. `info` has a few levels; what a stack holds depends on the thread.
const MAX_DEPTH: usize = 32;

/// The shards that an index (`repodata_shards.msgpack.zst`) lists: name to sha256. Hashes may be binary, arrays of
/// integers or hex; the zstd frame may lack its size. All of these exist in the wild.
///
/// # Errors
/// Anything else; more than 64 MiB of content; nested deeper than any index.
pub fn read_index(bytes: &[u8]) -> Result<BTreeMap<String, [u8; 32]>, ShardError> {
    #[derive(Deserialize)]
    struct Index {
        shards: BTreeMap<String, Hash>,
    }
    let mut content = Vec::new();
    zst::decompress(bytes, &mut content, MAX_BYTES)
        .map_err(|error| ShardError::Index(error.to_string()))?;
    let mut reader = rmp_serde::Deserializer::from_read_ref(&content);
    reader.set_max_depth(MAX_DEPTH);
    let index =
        Index::deserialize(&mut reader).map_err(|error| ShardError::Index(error.to_string()))?;
    Ok(index
        .shards
        .into_iter()
        .map(|(name, hash)| (name, hash.0))
        .collect())
}

struct Hash([u8; 32]);

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = Hash;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sha256 as 32 bytes, 32 integers or 64 hex digits")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Hash, E> {
                let hash = bytes
                    .try_into()
                    .map_err(|_| E::invalid_length(bytes.len(), &self))?;
                Ok(Hash(hash))
            }

            fn visit_str<E: Error>(self, hex: &str) -> Result<Hash, E> {
                let mut hash = [0; 32];
                hex::decode_to_slice(hex, &mut hash).map_err(E::custom)?;
                Ok(Hash(hash))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Hash, A::Error> {
                let mut hash = [0; 32];
                for (position, byte) in hash.iter_mut().enumerate() {
                    *byte = seq
                        .next_element()?
                        .ok_or_else(|| A::Error::invalid_length(position, &self))?;
                }
                match seq.next_element::<u8>()? {
                    None => Ok(Hash(hash)),
                    Some(_) => Err(A::Error::invalid_length(33, &self)),
                }
            }
        }

        deserializer.deserialize_any(Forms)
    }
}
