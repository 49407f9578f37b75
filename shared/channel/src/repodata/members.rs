//! The members of one small JSON object, in order, with raw values.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of the object `json`, in the order they stand there, values byte for byte.
pub(crate) fn members(json: &[u8]) -> Result<Vec<(String, &RawValue)>, serde_json::Error> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let members = deserializer.deserialize_map(Members)?;
    deserializer.end()?;
    Ok(members)
}

/// The object of these members, without white space between them. Values are JSON as they are.
pub(super) fn object<K: AsRef<str>, V: AsRef<str>>(members: &[(K, V)]) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (position, (key, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut out, key.as_ref()).expect("a string always has a JSON form");
        out.push(b':');
        out.extend_from_slice(value.as_ref().as_bytes());
    }
    out.push(b'}');
    out
}
