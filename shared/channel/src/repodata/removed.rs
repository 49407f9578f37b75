//! The files that an index says were removed.

use serde_json::value::RawValue;

use crate::name::FileName;

/// The file names in the index's `removed`, as [`Event::Value`](super::Event::Value) delivers it: an array of names, read
/// one by one. Nothing depends on this list, so nothing in it is an error: what is no file name is skipped, and a value
/// that is no array names none.
///
/// Take the names as they come: [`Limits::max_value_bytes`](super::Limits::max_value_bytes) bounds the JSON, and names
/// that are kept take six times its bytes (some 400 MB for the 64 MiB allowed).
pub fn removed(json: &[u8]) -> impl Iterator<Item = FileName> + '_ {
    let mut rest = json.trim_ascii().strip_prefix(b"[").unwrap_or_default();
    std::iter::from_fn(move || {
        let mut elements = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        // The bracket at the end of the array is no value either.
        let element = elements.next()?.ok()?;
        let end = elements.byte_offset();
        let after = rest.get(end..).unwrap_or_default().trim_ascii_start();
        rest = after.strip_prefix(b",").unwrap_or_default();
        Some(element)
    })
    .filter_map(|element| {
        FileName::parse(&serde_json::from_str::<String>(element.get()).ok()?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(json: &str) -> Vec<String> {
        removed(json.as_bytes()).map(String::from).collect()
    }

    #[test]
    fn the_file_names_are_given_in_their_order() {
        let json = r#" [ "b-1-0.conda" ,"a-1-0.tar.bz2", "a\u002d2-0.conda","b-1-0.conda"] "#;
        let expected = ["b-1-0.conda", "a-1-0.tar.bz2", "a-2-0.conda", "b-1-0.conda"];
        assert_eq!(names(json), expected);
        assert_eq!(names("[]"), [""; 0]);
    }

    #[test]
    fn what_is_no_file_name_is_skipped() {
        let json = r#"[7, "", "no name", "../a-1-0.conda", null, ["a-1-0.conda"], {"a-1-0.conda": 1}, 1.5, true, "\ud800",
            "a-1-0.conda", "a-1-0.zip"]"#;
        assert_eq!(names(json), ["a-1-0.conda"]);
    }

    #[test]
    fn what_is_no_array_names_none() {
        for json in [
            "{}",
            r#"{"a":"a-1-0.conda"}"#,
            "null",
            r#""a-1-0.conda""#,
            "7",
            "",
            "[",
        ] {
            assert_eq!(names(json), [""; 0], "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[\\[\\],\"{} a1\\\\-]{0,60}") {
            let _ = removed(&bytes).count();
            let _ = removed(format!("[{text}").as_bytes()).count();
        }

        #[test]
        fn it_finds_what_a_json_parser_finds(list in prop::collection::vec("[a-z]{1,3}-[0-9]-[0-9](\\.conda|\\.zip|\"\n)", 0..9)) {
            let json = serde_json::to_string_pretty(&list).unwrap_or_default();
            let expected: Vec<String> = list.into_iter().filter(|name| FileName::parse(name).is_ok()).collect();
            prop_assert_eq!(names(&json), expected);
        }
    }
}
