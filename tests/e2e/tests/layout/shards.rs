//! The index in shards: what rattler, conda and mamba each insist on.

use std::collections::BTreeMap;

use mirror_e2e::stored::{SHARD, SHARD_INDEX};
use mirror_kit::fake_registry::sha256_digest;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use zstd::zstd_safe::get_frame_content_size;

use super::{Mirrored, SUBDIRS};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShardIndex {
    info: Value,
    shards: BTreeMap<String, IgnoredAny>,
}

/// Unpacks a frame that says how large its content is.
fn unpack(frame: &[u8]) -> Vec<u8> {
    let unpacked = zstd::decode_all(frame).unwrap();
    let size = get_frame_content_size(frame).unwrap();
    assert_eq!(
        size,
        Some(unpacked.len() as u64),
        "a frame without its size"
    );
    unpacked
}

/// `key` and a msgpack binary of these bytes, as it is spelled (bin 8).
fn binary(key: &str, hex: &str) -> Vec<u8> {
    assert!(key.len() < 32, "{key} is no fixstr");
    let bytes = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    let mut spelled = vec![0xa0 | u8::try_from(key.len()).unwrap()];
    spelled.extend_from_slice(key.as_bytes());
    spelled.extend([0xc4, u8::try_from(hex.len() / 2).unwrap()]);
    spelled.extend(bytes);
    spelled
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[tokio::test]
async fn the_shard_index_leads_to_a_shard_for_each_name() {
    let mirrored = Mirrored::standard(&[]).await;
    for subdir in SUBDIRS {
        let bytes = unpack(&mirrored.index(subdir, SHARD_INDEX));
        let index: ShardIndex = rmp_serde::from_slice(&bytes).unwrap();
        let revisions = if subdir == "noarch" { 0 } else { 2 };
        let info = json!({
            "subdir": subdir, "base_url": "", "shards_base_url": "./shards/",
            "repodata_revisions": {"v3": {"n_packages": revisions}},
        });
        assert_eq!(index.info, info);
        let mut names: Vec<&str> = { mirrored.channel.mirrored() }
            .filter(|file| file.subdir == subdir)
            .map(|file| file.record["name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(index.shards.keys().collect::<Vec<_>>(), names);

        let repository = mirrored.repository(subdir, "repodata.json/shards");
        let tags = mirrored.registry.tags(&repository);
        assert_eq!(tags.len(), names.len());
        for name in names {
            let listed: Vec<_> = { tags.iter() }
                .filter(|tag| contains(&bytes, &binary(name, tag)))
                .collect();
            assert_eq!(listed.len(), 1, "the hash of {name} as binary");
        }
    }
}

#[tokio::test]
async fn a_shard_stands_at_the_tag_of_its_hash_with_both_sections_and_binary_hashes() {
    let mirrored = Mirrored::standard(&[]).await;
    for subdir in SUBDIRS {
        let repository = mirrored.repository(subdir, "repodata.json/shards");
        let mut all = Vec::new();
        for tag in mirrored.registry.tags(&repository) {
            let manifest = mirrored.registry.manifest_json(&repository, &tag).unwrap();
            let (layer, shard) = mirrored.registry.layer(&repository, &tag, SHARD).unwrap();
            assert_eq!(sha256_digest(&shard), format!("sha256:{tag}"));
            assert_eq!(manifest["layers"], json!([layer]));
            let title = format!("shards/{tag}.msgpack.zst");
            let annotations = json!({"org.opencontainers.image.title": title});
            assert_eq!(layer["annotations"], annotations);
            let shard = unpack(&shard);
            let sections: BTreeMap<String, IgnoredAny> = rmp_serde::from_slice(&shard).unwrap();
            for section in ["packages", "packages.conda"] {
                assert!(
                    sections.contains_key(section),
                    "{subdir} {tag}: no {section}"
                );
            }
            all.extend(shard);
        }
        for file in mirrored
            .channel
            .mirrored()
            .filter(|file| file.subdir == subdir)
        {
            let name = &file.file_name;
            assert!(
                contains(&all, &binary("sha256", &file.sha256)),
                "sha256 of {name}"
            );
            assert!(contains(&all, &binary("md5", &file.md5)), "md5 of {name}");
            assert!(
                !contains(&all, file.sha256.as_bytes()),
                "sha256 of {name} as text"
            );
        }
    }
}
