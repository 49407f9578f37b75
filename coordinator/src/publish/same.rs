//! Whether the publication that is there is the one that would be made, told from the plain index alone.
//!
//! Compressed index and shards follow from the plain index and from [`GENERATED_BY`](crate::plan::GENERATED_BY), and making
//! them is most of the work. Who relies on that must know that the publication was made by a program like this one: an
//! annotation can be copied, so only one that this ledger confirmed counts, never one that was taken over.

use std::collections::BTreeMap;

use mirror_channel::index::PlainIndex;
use mirror_ledger::SubdirState;
use mirror_oci::{Digest, layout};

use super::push::{self, Layer};
use crate::plan::Latest;

/// Whether publishing this plain index would put the manifest that `latest` is, but for how compressed index and shards
/// are spelled.
pub(super) fn is_published(
    latest: &Latest,
    state: &SubdirState,
    plain: &PlainIndex,
    local: Option<Digest>,
    annotations: &BTreeMap<String, String>,
) -> bool {
    let digest = latest.digest.to_string();
    // What is taken over has no count of what was excluded.
    let confirmed = state.confirmed.as_ref() == Some(&digest) && state.excluded.is_some();
    let Some(manifest) = latest.manifest.as_ref().filter(|_| confirmed) else {
        return false;
    };
    let there = |media_type| manifest.layer(media_type).map(Layer::of);
    let (Some(zst), Some(shards)) = (there(layout::REPODATA_ZST), there(layout::SHARD_INDEX))
    else {
        return false;
    };
    let layers = [Layer::from(&plain.json), zst, shards];
    let expected = push::manifest_of(&layers, plain.rewritten.records, local, annotations);
    Digest::of(&expected.to_bytes()) == latest.digest
}

#[cfg(test)]
mod tests {
    use super::*;

    use mirror_channel::index::Artifact;
    use mirror_channel::repodata::Rewritten;
    use mirror_oci::StoredManifest;
    use mirror_oci::manifest::Manifest;

    use crate::plan::GENERATOR;

    fn plain(content: &[u8], records: u64) -> PlainIndex {
        let json = Artifact {
            path: "repodata.json".into(),
            sha256: Digest::of(content).sha256(),
            size: content.len() as u64,
        };
        let rewritten = Rewritten {
            records,
            ..Rewritten::default()
        };
        PlainIndex { json, rewritten }
    }

    fn manifest(plain: &PlainIndex) -> Manifest {
        let other = |content: &[u8]| Layer {
            digest: Digest::of(content),
            size: content.len() as u64,
        };
        let layers = [Layer::from(&plain.json), other(b"zst"), other(b"shards")];
        push::manifest_of(&layers, plain.rewritten.records, None, &BTreeMap::new())
    }

    fn latest(manifest: &Manifest) -> Latest {
        let bytes = manifest.to_bytes();
        Latest::of(&StoredManifest {
            digest: Digest::of(&bytes),
            bytes,
        })
    }

    fn confirmed(latest: &Latest) -> SubdirState {
        SubdirState {
            confirmed: Some(latest.digest.to_string()),
            excluded: Some(0),
            ..SubdirState::default()
        }
    }

    /// As one that this ledger confirmed.
    fn is_same(manifest: &Manifest, plain: &PlainIndex) -> bool {
        let latest = latest(manifest);
        is_published(&latest, &confirmed(&latest), plain, None, &BTreeMap::new())
    }

    #[test]
    fn the_same_index_is_published_and_any_other_is_not() {
        let ours = plain(b"{}", 7);
        assert!(is_same(&manifest(&ours), &ours));
        assert!(!is_same(&manifest(&plain(b"[]", 7)), &ours));
        assert!(!is_same(&manifest(&plain(b"{}", 8)), &ours));
    }

    #[test]
    fn a_publication_of_another_version_is_not_the_same() {
        let ours = plain(b"{}", 7);
        let mut older = manifest(&ours);
        older
            .annotations
            .insert(GENERATOR.to_owned(), "conda-oci/0".to_owned());
        assert!(!is_same(&older, &ours));
        let mut richer = manifest(&ours);
        richer.annotations.insert("more".to_owned(), String::new());
        assert!(!is_same(&richer, &ours));
    }

    #[test]
    fn a_publication_with_other_records_of_our_own_merged_is_not_the_same() {
        let ours = plain(b"{}", 7);
        let latest = latest(&manifest(&ours));
        let local = Some(Digest::of(b"local"));
        let state = confirmed(&latest);
        assert!(!is_published(
            &latest,
            &state,
            &ours,
            local,
            &BTreeMap::new()
        ));
    }

    #[test]
    fn a_publication_that_lacks_a_layer_or_has_others_is_not_the_same() {
        let ours = plain(b"{}", 7);
        for lost in 0..3 {
            let mut poorer = manifest(&ours);
            poorer.layers.remove(lost);
            assert!(!is_same(&poorer, &ours), "layer {lost}");
        }
        let mut turned = manifest(&ours);
        turned.layers.reverse();
        assert!(!is_same(&turned, &ours));
        let mut twice = manifest(&ours);
        twice.layers.push(twice.layers[1].clone());
        assert!(!is_same(&twice, &ours));
    }

    #[test]
    fn only_what_this_ledger_confirmed_counts() {
        let ours = plain(b"{}", 7);
        let latest = latest(&manifest(&ours));
        let state = confirmed(&latest);
        let taken_over = SubdirState {
            excluded: None,
            ..state.clone()
        };
        let meant = SubdirState {
            intended: state.confirmed.clone(),
            confirmed: Some(Digest::of(b"another").to_string()),
            ..state
        };
        for state in [SubdirState::default(), taken_over, meant] {
            assert!(
                !is_published(&latest, &state, &ours, None, &BTreeMap::new()),
                "{state:?}"
            );
        }
    }
}
