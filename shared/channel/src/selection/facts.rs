//! The fields of a record's JSON that only a MatchSpec looks at, read so that nothing in them can be an error: a field of
//! an unexpected type counts as absent, of a repeated field the last one counts.

use std::fmt;

use rattler_conda_types::Flag;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What a record says of itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) build_number: Option<u64>,
    pub(super) license: Option<String>,
    pub(super) license_family: Option<String>,
    pub(super) track_features: Vec<String>,
    pub(super) flags: Vec<Flag>,
}

impl Facts {
    /// Reads a record; whatever is no JSON object says nothing.
    pub(super) fn read(json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    BuildNumber,
    License,
    LicenseFamily,
    TrackFeatures,
    Flags,
    #[serde(other)]
    Other,
}

/// `track_features` as conda reads it: a string, or a list of strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Features {
    Text(String),
    List(Vec<String>),
}

impl From<Features> for Vec<String> {
    fn from(features: Features) -> Self {
        match features {
            Features::Text(text) => text
                .split([',', ' '])
                .map(|word| word.trim().to_owned())
                .collect(),
            Features::List(list) => list.iter().map(|word| word.trim().to_owned()).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Record;

        impl<'de> Visitor<'de> for Record {
            type Value = Facts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record (an object)")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts, A::Error> {
                let mut facts = Facts::default();
                while let Some(field) = map.next_key::<Field>()? {
                    if matches!(field, Field::Other) {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let value = map.next_value::<&RawValue>()?;
                    match field {
                        Field::BuildNumber => facts.build_number = read(value),
                        Field::License => facts.license = read(value),
                        Field::LicenseFamily => facts.license_family = read(value),
                        Field::TrackFeatures => {
                            facts.track_features =
                                read(value).map_or_else(Vec::new, Features::into);
                        }
                        Field::Flags => facts.flags = read(value).unwrap_or_default(),
                        Field::Other => {}
                    }
                }
                Ok(facts)
            }
        }

        deserializer.deserialize_map(Record)
    }
}

/// The value, if it is of the expected type.
fn read<T: DeserializeOwned>(value: &RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}
