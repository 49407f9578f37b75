//! JSON with keys in one order, whatever map type `serde_json` was compiled with.

use serde_json::{Map, Value};

/// The same value with the keys of every object in byte order.
///
/// `serde_json`'s `preserve_order` feature may be switched on by any crate of the build; without this the bytes of a
/// package would depend on who else is compiled.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort();
            let entries = keys
                .into_iter()
                .map(|key| (key.clone(), sorted(&object[key])));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        scalar => scalar.clone(),
    }
}
