//! An optional sha256 as lower-case hex in JSON.

use serde::{Deserialize, Deserializer, Serializer, de};

pub(crate) fn serialize<S: Serializer>(
    digest: &Option<[u8; 32]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match digest {
        Some(bytes) => serializer.serialize_some(&hex::encode(bytes)),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<[u8; 32]>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let mut digest = [0; 32];
    hex::decode_to_slice(&text, &mut digest)
        .map_err(|error| de::Error::custom(format_args!("sha256 in hex: {error}")))?;
    Ok(Some(digest))
}
