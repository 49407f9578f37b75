//! Reading a record's fields without copying, and checking the others on the way.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The fields that are looked at, as they stand in the record.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) version: Option<Cow<'a, str>>,
    pub(super) build: Option<Cow<'a, str>>,
    pub(super) sha256: Option<Cow<'a, str>>,
    pub(super) md5: Option<Cow<'a, str>>,
    pub(super) size: Option<u64>,
}

/// The fields by number, so that a repeated one is noticed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Version,
    Build,
    Sha256,
    Md5,
    Size,
    Other,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl Visitor<'_> for Names {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Field, E> {
                Ok(match text {
                    "name" => Field::Name,
                    "version" => Field::Version,
                    "build" => Field::Build,
                    "sha256" => Field::Sha256,
                    "md5" => Field::Md5,
                    "size" => Field::Size,
                    _ => Field::Other,
                })
            }
        }

        deserializer.deserialize_str(Names)
    }
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
                let mut seen = 0_u8;
                while let Some(field) = map.next_key::<Field>()? {
                    if field == Field::Other {
                        map.next_value::<Checked>()?;
                        continue;
                    }
                    let bit = 1 << field as u8;
                    if seen & bit != 0 {
                        return Err(A::Error::custom(
                            "a field that decides about the file is there twice",
                        ));
                    }
                    seen |= bit;
                    let text = match field {
                        Field::Name => &mut fields.name,
                        Field::Version => &mut fields.version,
                        Field::Build => &mut fields.build,
                        Field::Sha256 => &mut fields.sha256,
                        Field::Md5 => &mut fields.md5,
                        Field::Size | Field::Other => {
                            fields.size = map.next_value()?;
                            continue;
                        }
                    };
                    *text = map.next_value::<Text<'a>>()?.0;
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

/// Any value that can be carried on: unlike serde's own `IgnoredAny`, it refuses numbers out of range and escapes that
/// are no characters, which would fail later when shards are written.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Checked;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Checked, E> {
                Ok(Checked)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Checked, E> {
                Ok(Checked)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Checked, E> {
                Ok(Checked)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Checked, E> {
                Ok(Checked)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Checked, E> {
                Ok(Checked)
            }

            fn visit_unit<E: Error>(self) -> Result<Checked, E> {
                Ok(Checked)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Checked, A::Error> {
                while seq.next_element::<Checked>()?.is_some() {}
                Ok(Checked)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Checked, A::Error> {
                while map.next_entry::<Checked, Checked>()?.is_some() {}
                Ok(Checked)
            }
        }

        deserializer.deserialize_any(Anything)
    }
}
