//! `info/index.json` of a package.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// What is needed of it.
pub(super) struct Index {
    /// The bytes to push.
    pub bytes: Vec<u8>,
    /// `%Y.%m.%d.%H.%M` UTC.
    pub created: Option<String>,
    /// `name-version-build`, if it has all three.
    pub stem: Option<String>,
}

/// Timestamps above this are milliseconds, others seconds (conda's own rule: 9999-12-31 in seconds).
const LAST_SECOND: i64 = 253_402_300_799;

/// Fills in a missing `subdir` (packages older than the field); everything else stays as it is.
pub(super) fn read(bytes: &[u8], subdir: &str) -> Result<Index, serde_json::Error> {
    // Sorted keys and raw values, so that the bytes depend on nothing but the package.
    let mut fields: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes)?;
    let created = fields.get("timestamp").and_then(|raw| created(raw.get()));
    let stem = stem(&fields);
    let named = fields
        .get("subdir")
        .is_some_and(|raw| !matches!(raw.get(), "null" | "\"\""));
    if named {
        return Ok(Index {
            bytes: bytes.to_vec(),
            created,
            stem,
        });
    }
    let filled = serde_json::value::to_raw_value(subdir)?;
    fields.insert("subdir".to_owned(), &filled);
    Ok(Index {
        bytes: serde_json::to_vec(&fields)?,
        created,
        stem,
    })
}

fn stem(fields: &BTreeMap<String, &RawValue>) -> Option<String> {
    let text = |key| serde_json::from_str::<String>(fields.get(key)?.get()).ok();
    Some(format!(
        "{}-{}-{}",
        text("name")?,
        text("version")?,
        text("build")?
    ))
}

fn created(raw: &str) -> Option<String> {
    let stamp: i64 = raw.parse::<i64>().ok().or_else(|| {
        // Some old builds wrote a float.
        let float: f64 = raw.parse().ok()?;
        (float.abs() < 9e15).then_some(float as i64)
    })?;
    let time = if stamp > LAST_SECOND {
        jiff::Timestamp::from_millisecond(stamp)
    } else {
        jiff::Timestamp::from_second(stamp)
    };
    let time = time.ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    Some(time.strftime("%Y.%m.%d.%H.%M").to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_subdir_is_filled_in_and_a_present_one_left_to_the_byte() {
        let given = br#"{ "name":"a", "subdir" : "noarch", "timestamp": 1700000000123}"#;
        let index = read(given, "linux-64").unwrap();
        assert_eq!(index.bytes, given);
        assert_eq!(index.created.as_deref(), Some("2023.11.14.22.13"));
        let index = read(br#"{"name":"a","build_number":1.50}"#, "linux-64").unwrap();
        assert_eq!(
            index.bytes,
            br#"{"build_number":1.50,"name":"a","subdir":"linux-64"}"#
        );
        assert_eq!(index.created, None);
    }

    #[test]
    fn an_index_says_which_package_it_is_of_only_with_name_version_and_build() {
        let stem = |json: &str| read(json.as_bytes(), "noarch").unwrap().stem;
        let whole = r#"{"name":"a","version":"1","build":"h_0","build_number":0}"#;
        assert_eq!(stem(whole).as_deref(), Some("a-1-h_0"));
        for partial in [
            r#"{"name":"a","version":"1"}"#,
            r#"{"name":"a","version":1,"build":"0"}"#,
            "{}",
        ] {
            assert_eq!(stem(partial), None, "{partial}");
        }
    }

    #[test]
    fn times_in_seconds_and_nonsense_are_survived() {
        assert_eq!(created("1700000000").as_deref(), Some("2023.11.14.22.13"));
        assert_eq!(created("1700000000.5").as_deref(), Some("2023.11.14.22.13"));
        for nonsense in ["null", "\"x\"", "9223372036854775807", "1e300", "[]"] {
            assert_eq!(created(nonsense), None, "{nonsense}");
        }
        assert!(read(b"[]", "noarch").is_err());
    }
}
