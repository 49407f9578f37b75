//! The answer of a token endpoint.
//!
//! - A token is never empty, and is the one that the answer has; what else is in the answer spoils none.
//! - It is taken to be good for a minute at the least and a day at the most, and for no longer than the answer says.

use std::collections::BTreeMap;
use std::time::Duration;

use mirror_oci::registry::hostile::token;
use serde_json::value::RawValue;

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// `data` is the answer's body.
pub fn check(data: &[u8]) {
    let read = token(data);
    let members = serde_json::from_slice::<Members<'_>>(data).ok();
    let Some(members) = members else {
        // Text that nobody needs may be none.
        let is_text = std::str::from_utf8(data).is_ok();
        assert!(!is_text || read.is_none(), "a token of no JSON object");
        return;
    };
    let text = |key: &str| serde_json::from_str::<Option<String>>(members.get(key)?.get()).ok()?;
    if let Some((token, life)) = &read {
        assert!(!token.is_empty());
        let tokens = [text("token"), text("access_token")];
        assert!(tokens.contains(&Some(token.clone())), "{token:?}");
        let (least, most) = (Duration::from_secs(60), Duration::from_secs(86_400));
        assert!((least..=most).contains(life), "{life:?}");
        let said = members.get("expires_in");
        let said = said.and_then(|raw| raw.get().parse::<u32>().ok());
        if let Some(said) = said {
            let longest = Duration::from_secs(said.into()).max(least);
            assert!(*life <= longest, "{life:?}");
        }
    }
    // Each key once, because of one that is there twice readers may take either.
    let once = serde_json::to_vec(&members).expect("texts and raw values always serialize");
    let is_there = text("token").is_some_and(|token| !token.is_empty())
        && (text("access_token").is_some() || !members.contains_key("access_token"));
    if is_there {
        assert!(token(&once).is_some(), "a token beside something else");
    }
}
