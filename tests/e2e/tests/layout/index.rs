//! The published `repodata.json` and the manifest that names it.

use mirror_e2e::stored::{REPODATA, REPODATA_ZST, SHARD_INDEX};
use mirror_kit::channel::{Channel, Hashes, MadeFile, Place};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use zstd::zstd_safe::get_frame_content_size;

use super::{Mirrored, SUBDIRS};

#[tokio::test]
async fn latest_names_the_index_plain_packed_and_in_shards() {
    let mirrored = Mirrored::standard(&[]).await;
    for subdir in SUBDIRS {
        let repository = mirrored.repository(subdir, "repodata.json");
        assert_eq!(mirrored.registry.tags(&repository), ["latest"]);
        let manifest = mirrored
            .registry
            .manifest_json(&repository, "latest")
            .unwrap();
        let annotations = manifest["annotations"].as_object().unwrap();
        assert!(
            annotations.values().all(Value::is_string),
            "{annotations:?}"
        );
        let layers: Vec<_> = manifest["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| (layer["mediaType"].clone(), layer["annotations"].clone()))
            .collect();
        let layer = |media_type: &str, title: &str| {
            let annotations = json!({"org.opencontainers.image.title": title});
            (json!(media_type), annotations)
        };
        let expected = [
            layer(REPODATA, "repodata.json"),
            layer(REPODATA_ZST, "repodata.json.zst"),
            layer(SHARD_INDEX, "repodata_shards.msgpack.zst"),
        ];
        assert_eq!(layers, expected, "{subdir}");

        let packed = mirrored.index(subdir, REPODATA_ZST);
        let plain = mirrored.index(subdir, REPODATA);
        let size = get_frame_content_size(&packed).unwrap();
        assert_eq!(
            size,
            Some(plain.len() as u64),
            "{subdir}: frame with its size"
        );
        assert!(zstd::decode_all(&*packed).unwrap() == plain, "{subdir}");
    }
}

/// The range of a member, key and value, in compact JSON text.
fn member(text: &str, key: &str) -> std::ops::Range<usize> {
    let spelled = format!("{}:", json!(key));
    let start = text
        .find(&spelled)
        .unwrap_or_else(|| panic!("no {key} in {text}"));
    assert_eq!(text.matches(&spelled).count(), 1, "{key}");
    let value = start + spelled.len();
    let mut values = serde_json::Deserializer::from_str(&text[value..]).into_iter::<IgnoredAny>();
    values.next().unwrap().unwrap();
    start..value + values.byte_offset()
}

fn remove_member(text: &mut String, key: &str) {
    let mut range = member(text, key);
    if text[range.end..].starts_with(',') {
        range.end += 1;
    } else if text[..range.start].ends_with(',') {
        range.start -= 1;
    }
    text.replace_range(range, "");
}

/// The key of a file's record.
fn key(file: &MadeFile) -> &str {
    let extensions = [".conda", ".tar.bz2", ".whl"];
    match file.listing.place {
        Place::Revision3 => { extensions.iter() }
            .find_map(|extension| file.file_name.strip_suffix(extension))
            .unwrap(),
        _ => &file.file_name,
    }
}

fn upstream(channel: &Channel, subdir: &str) -> String {
    std::fs::read_to_string(channel.dir.join(subdir).join("repodata.json")).unwrap()
}

#[tokio::test]
async fn the_index_is_upstreams_to_the_byte_but_for_what_clients_need_changed() {
    let mirrored = Mirrored::standard(&[]).await;
    for subdir in SUBDIRS {
        let mut expected = upstream(&mirrored.channel, subdir);
        for file in mirrored
            .channel
            .files
            .iter()
            .filter(|file| file.subdir == subdir)
        {
            if file.indexed && !file.representable {
                remove_member(&mut expected, key(file));
            }
            if file.indexed && file.listing.hashes == Hashes::Md5Only {
                let end = member(&expected, key(file)).end - 1;
                let sha256 = format!(r#","sha256":"{}""#, file.sha256);
                expected.insert_str(end, &sha256);
            }
        }
        if subdir == "linux-64" {
            remove_member(&mut expected, "base_url");
        } else {
            // The wheel, which the layout has no place for.
            let counted = expected.replace(r#""n_packages":1"#, r#""n_packages":0"#);
            assert_ne!(counted, expected);
            expected = counted;
        }
        assert_ne!(expected, upstream(&mirrored.channel, subdir));
        let published = String::from_utf8(mirrored.index(subdir, REPODATA)).unwrap();
        assert_eq!(published, expected, "{subdir}");
    }
}

#[tokio::test]
async fn a_partial_mirror_lists_only_what_it_has_and_counts_it() {
    let mirrored = Mirrored::standard(&["--package", "zlib", "--package", "future"]).await;
    let index: Value = serde_json::from_slice(&mirrored.index("linux-64", REPODATA)).unwrap();
    let listed =
        |section: &Value| -> Vec<String> { section.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(
        listed(&index["packages"]),
        ["zlib-1.2.13-h0_0.tar.bz2", "zlib-1.3.1-h0_1.tar.bz2"]
    );
    assert_eq!(listed(&index["packages.conda"]), ["zlib-1.3.1-h0_1.conda"]);
    assert_eq!(listed(&index["v3"]["conda"]), ["future-1.0-h0_0"]);
    assert_eq!(index["info"]["repodata_revisions"]["v3"]["n_packages"], 2);

    let mirrored = Mirrored::standard(&["--package", "zlib"]).await;
    let index: Value = serde_json::from_slice(&mirrored.index("linux-64", REPODATA)).unwrap();
    assert_eq!(index["info"]["repodata_revisions"]["v3"]["n_packages"], 0);
    assert!(
        !index["v3"].to_string().contains("future"),
        "{}",
        index["v3"]
    );
}
