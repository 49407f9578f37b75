//! The keys of one JSON object, so that a repeated one is noticed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// So many keys need no memory beside the struct; real records have 15 to 20.
const FEW: usize = 32;

/// The most characters of a key that a message shows.
const SHOWN: usize = 100;

/// The keys of an object that were met so far.
pub(super) struct Keys<'a> {
    few: [Cow<'a, str>; FEW],
    count: usize,
    /// All of them, once they are more than a few: comparing each with each would take too long.
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    pub(super) fn new() -> Self {
        Self {
            few: [const { Cow::Borrowed("") }; FEW],
            count: 0,
            many: HashSet::new(),
        }
    }

    /// Adds the next key.
    ///
    /// # Errors
    /// It was there before.
    pub(super) fn add<E: Error>(&mut self, Key(key): Key<'a>) -> Result<(), E> {
        if self.few[..self.count].contains(&key) || self.many.contains(&key) {
            let shown: String = key.chars().take(SHOWN).collect();
            return Err(E::custom(format!("the key {shown:?} is there twice")));
        }
        if self.count < FEW {
            self.few[self.count] = key;
            self.count += 1;
        } else {
            self.many.insert(key);
        }
        Ok(())
    }
}

/// A key, borrowed where the JSON has no escapes.
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(key))
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(key.to_owned()))
            }
        }

        deserializer.deserialize_str(Text).map(Key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_is_refused_if_and_only_if_it_was_there_before(keys in prop::collection::vec("[a-f]{1,2}", 0..120)) {
            let (mut met, mut expected) = (Keys::new(), HashSet::new());
            for key in &keys {
                let added = met.add::<serde_json::Error>(Key(Cow::Borrowed(key)));
                prop_assert_eq!(added.is_ok(), expected.insert(key));
            }
        }
    }
}
