//! Optional digests as lower-case hex in JSON.

use serde::{Deserialize, Deserializer, Serializer, de};

pub(crate) fn serialize<const N: usize, S: Serializer>(
    digest: &Option<[u8; N]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match digest {
        Some(bytes) => serializer.serialize_some(&hex::encode(bytes)),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<[u8; N]>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let mut digest = [0; N];
    hex::decode_to_slice(&text, &mut digest)
        .map_err(|error| de::Error::custom(format_args!("digest of {N} bytes in hex: {error}")))?;
    Ok(Some(digest))
}
