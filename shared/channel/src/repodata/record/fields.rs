//! Reading a record's fields without copying, and checking the others on the way.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::repodata::checked::Checked;
use crate::repodata::keys::{Key, Keys};

/// The fields that are looked at, as they stand in the record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) version: Option<Cow<'a, str>>,
    pub(super) build: Option<Cow<'a, str>>,
    pub(super) sha256: Option<Cow<'a, str>>,
    pub(super) md5: Option<Cow<'a, str>>,
    pub(super) size: Option<u64>,
}

/// Where the value behind a key goes.
enum Field<'f, 'a> {
    Text(&'f mut Option<Cow<'a, str>>),
    Size,
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Map<'a> {
            type Value = Fields<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record (an object)")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'a>, A::Error> {
                let mut fields = Fields::default();
                let mut keys = Keys::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    let field = match &*key.0 {
                        "name" => Field::Text(&mut fields.name),
                        "version" => Field::Text(&mut fields.version),
                        "build" => Field::Text(&mut fields.build),
                        "sha256" => Field::Text(&mut fields.sha256),
                        "md5" => Field::Text(&mut fields.md5),
                        "size" => Field::Size,
                        _ => Field::Other,
                    };
                    keys.add(key)?;
                    match field {
                        Field::Text(text) => *text = map.next_value::<Text<'a>>()?.0,
                        Field::Size => fields.size = map.next_value()?,
                        Field::Other => {
                            map.next_value::<Checked>()?;
                        }
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Map(PhantomData))
    }
}

/// A string or null, borrowed where the JSON has no escapes.
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Strings<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }

            fn visit_unit<E: Error>(self) -> Result<Text<'a>, E> {
                Ok(Text(None))
            }
        }

        deserializer.deserialize_any(Strings(PhantomData))
    }
}
