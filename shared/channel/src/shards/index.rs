//! Writing the shard index.

use std::collections::BTreeMap;

use super::ShardError;
use crate::msgpack;

/// Where shards lie, relative to the index.
const SHARDS_BASE_URL: &str = "./shards/";

/// Appends the shard index, not compressed. `base_url` is empty: packages lie where the index does. No `created_at`, so
/// that the same channel gives the same bytes. Hashes are msgpack binary; mamba reads nothing else.
pub(super) fn encode(
    subdir: &str,
    info: &[(String, Vec<u8>)],
    shards: &BTreeMap<&str, [u8; 32]>,
    out: &mut Vec<u8>,
) -> Result<(), ShardError> {
    msgpack::map(2, out);
    msgpack::text("info", out);
    msgpack::map(3 + info.len(), out);
    for (key, value) in [
        ("subdir", subdir),
        ("base_url", ""),
        ("shards_base_url", SHARDS_BASE_URL),
    ] {
        msgpack::text(key, out);
        msgpack::text(value, out);
    }
    for (key, value) in info {
        msgpack::text(key, out);
        msgpack::value(value, out).map_err(|error| ShardError::Convert {
            key: key.clone(),
            error,
        })?;
    }
    msgpack::text("shards", out);
    msgpack::map(shards.len(), out);
    for (name, sha256) in shards {
        msgpack::text(name, out);
        msgpack::binary(sha256, out);
    }
    Ok(())
}
