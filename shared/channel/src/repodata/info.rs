//! The index's `info`, as it is published: as upstream wrote it but for what filtering makes untrue.

use super::members::{members, object};
use super::survey::{Survey, revision_number};

/// The published form of `info`: without `base_url`, because clients would go back to the upstream host; with
/// `repodata_revisions.*` counting what `survey` found kept. All else keeps its order and its bytes.
///
/// A value that is no object has nothing to change.
pub(super) fn publish(info: &[u8], survey: Option<&Survey>) -> Result<Vec<u8>, serde_json::Error> {
    if info.first() != Some(&b'{') {
        return Ok(info.to_vec());
    }
    let mut published = Vec::new();
    for (key, value) in members(info)? {
        let value = match (&*key, survey) {
            ("base_url", _) => continue,
            ("repodata_revisions", Some(survey)) if value.get().starts_with('{') => {
                revisions(value.get(), survey)?
            }
            _ => value.get().to_owned(),
        };
        published.push((key, value));
    }
    Ok(object(&published))
}

/// Whether `info` states counts that filtering changes.
pub(super) fn has_revisions(info: &[u8]) -> Result<bool, serde_json::Error> {
    Ok(info.first() == Some(&b'{')
        && members(info)?
            .iter()
            .any(|(key, _)| key == "repodata_revisions"))
}

fn revisions(revisions: &str, survey: &Survey) -> Result<String, serde_json::Error> {
    let mut published = Vec::new();
    for (key, metadata) in members(revisions.as_bytes())? {
        let kept = revision_number(&key).and_then(|number| survey.revision(number));
        let metadata = match kept {
            Some(kept) if metadata.get().starts_with('{') => {
                let mut fields = Vec::new();
                for (field, value) in members(metadata.get().as_bytes())? {
                    let value = match &*field {
                        "n_packages" => Some(kept.records.to_string()),
                        "oldest" => kept.oldest.map(|ms| ms.to_string()),
                        "newest" => kept.newest.map(|ms| ms.to_string()),
                        _ => Some(value.get().to_owned()),
                    };
                    fields.extend(value.map(|value| (field, value)));
                }
                text(object(&fields))
            }
            _ => metadata.get().to_owned(),
        };
        published.push((key, metadata));
    }
    Ok(text(object(&published)))
}

fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).expect("made of strings")
}
