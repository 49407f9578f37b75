//! Whether what an index names is in the registry: the promise that holds at
//! every publication, checked on the bytes without the product's code.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::{Shard, ShardedRepodata};
use serde_json::Value;

use super::view::RegistryView;

const REPODATA: &str = "application/vnd.conda.repodata.v1+json";
const REPODATA_ZST: &str = "application/vnd.conda.repodata.v1+json+zst";
const SHARD_INDEX: &str = "application/vnd.conda.repodata.shards.v1+msgpack+zst";
const SHARD: &str = "application/vnd.conda.repodata.shard.v1+msgpack+zst";

/// Extension and package layer of the two formats.
const FORMATS: [(&str, &str); 2] = [
    (".conda", "application/vnd.conda.package.v2"),
    (".tar.bz2", "application/vnd.conda.package.v1"),
];

impl RegistryView {
    /// The published index of a subdir, parsed. `subdir` is a path in the
    /// registry such as `myorg/conda-forge/linux-64`.
    #[must_use]
    pub fn index(&self, subdir: &str) -> Option<Value> {
        let (_, bytes) = self.layer(&format!("{subdir}/repodata.json"), "latest", REPODATA)?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Names of the files that the published index of a subdir lists.
    #[must_use]
    pub fn index_files(&self, subdir: &str) -> BTreeSet<String> {
        let index = self.index(subdir).unwrap_or_default();
        records(&index).into_iter().map(|(file, _)| file).collect()
    }

    /// What is wrong with the published index of a subdir, empty if nothing:
    /// files it names that the registry does not hold with that sha256 and
    /// size, a `.zst` or shards that say something else, missing shards.
    #[must_use]
    pub fn index_breaches(&self, subdir: &str) -> Vec<String> {
        let repository = format!("{subdir}/repodata.json");
        let layer = |media_type| self.layer(&repository, "latest", media_type);
        let Some((_, json)) = layer(REPODATA) else {
            return vec![format!("{repository}:latest has no layer {REPODATA}")];
        };
        let Ok(index) = serde_json::from_slice::<Value>(&json) else {
            return vec![format!("{repository}:latest is not JSON")];
        };
        let mut breaches = Vec::new();
        match layer(REPODATA_ZST).map(|(_, zst)| zstd::decode_all(&*zst)) {
            Some(Ok(decoded)) if decoded == json => {}
            Some(Ok(_)) => breaches.push("the .zst differs from the plain index".to_owned()),
            Some(Err(e)) => breaches.push(format!("the .zst cannot be decoded: {e}")),
            None => breaches.push(format!("{repository}:latest has no layer {REPODATA_ZST}")),
        }
        let listed = records(&index);
        for (file, record) in &listed {
            breaches.extend(self.file_breach(subdir, file, record));
        }
        if let Some((_, shards)) = layer(SHARD_INDEX) {
            let listed = listed
                .iter()
                .filter_map(|(file, r)| Some((file.clone(), r["sha256"].as_str()?.to_owned())))
                .collect();
            match self.shard_files(subdir, &shards) {
                Err(breach) => breaches.push(breach),
                Ok(sharded) if sharded == listed => {}
                Ok(sharded) => {
                    let only = |a: &BTreeMap<_, _>, b: &BTreeMap<_, _>| {
                        a.iter()
                            .filter(|(f, h)| b.get(*f) != Some(*h))
                            .map(|(f, _)| f)
                            .cloned()
                            .collect::<Vec<String>>()
                    };
                    breaches.push(format!(
                        "index and shards differ: in the index {:?}, in the shards {:?}",
                        only(&listed, &sharded),
                        only(&sharded, &listed)
                    ));
                }
            }
        }
        breaches
    }

    /// Why a file that the index lists is not there.
    fn file_breach(&self, subdir: &str, file: &str, record: &Value) -> Option<String> {
        let Some((repository, tag, media_type)) = place(file) else {
            return Some(format!("{file} has no place in the layout"));
        };
        let Some(sha256) = record["sha256"].as_str() else {
            return Some(format!("{file} is listed without sha256"));
        };
        let repository = format!("{subdir}/{repository}");
        let Some((digest, held)) = self.held(&repository, &tag, media_type) else {
            return Some(format!(
                "{file}: {repository}:{tag} has no layer {media_type} with bytes"
            ));
        };
        if digest != format!("sha256:{sha256}") {
            return Some(format!("{file}: listed with {sha256}, held with {digest}"));
        }
        let listed = &record["size"];
        if listed.is_u64() && *listed != held {
            return Some(format!(
                "{file}: listed with {listed} bytes, held with {held}"
            ));
        }
        None
    }

    /// Digest and size of a layer whose blob is there. A package may be too
    /// large to be read at every publication.
    fn held(&self, repository: &str, tag: &str, media_type: &str) -> Option<(String, u64)> {
        let manifest = self.manifest_json(repository, tag)?;
        let mut layers = manifest["layers"].as_array()?.iter();
        let layer = layers.find(|layer| layer["mediaType"] == media_type)?;
        let digest = layer["digest"].as_str()?;
        Some((digest.to_owned(), self.blob_size(repository, digest)?))
    }

    /// Files and hashes in all shards of a shard index.
    fn shard_files(&self, subdir: &str, index: &[u8]) -> Result<BTreeMap<String, String>, String> {
        let index = zstd::decode_all(index).map_err(|e| format!("shard index: {e}"))?;
        let index: ShardedRepodata =
            rmp_serde::from_slice(&index).map_err(|e| format!("shard index: {e}"))?;
        let repository = format!("{subdir}/repodata.json/shards");
        let mut files = BTreeMap::new();
        for (name, hash) in &index.shards {
            let hash = hex::encode(hash);
            let (layer, shard) = self.layer(&repository, &hash, SHARD).ok_or_else(|| {
                format!("shard of {name}: no layer {SHARD} at {repository}:{hash}")
            })?;
            if layer["digest"] != format!("sha256:{hash}") {
                return Err(format!("shard of {name}: {hash} holds {}", layer["digest"]));
            }
            let fault = |e: &dyn std::fmt::Display| format!("shard of {name}: {e}");
            let shard = zstd::decode_all(&*shard).map_err(|e| fault(&e))?;
            let shard: Shard = rmp_serde::from_slice(&shard).map_err(|e| fault(&e))?;
            let classic = shard.packages.iter().chain(&shard.conda_packages);
            let classic = classic.map(|(id, record)| (id.to_file_name(), record.sha256));
            let v3 = [(&shard.v3.conda, ".conda"), (&shard.v3.tar_bz2, ".tar.bz2")];
            let v3 = v3.into_iter().flat_map(|(records, extension)| {
                records
                    .iter()
                    .map(move |(id, r)| (format!("{id}{extension}"), r.sha256))
            });
            for (file, sha256) in classic.chain(v3) {
                let sha256 = sha256.ok_or_else(|| fault(&format!("{file} without sha256")))?;
                files.insert(file, hex::encode(sha256));
            }
        }
        Ok(files)
    }
}

/// File names and records of a parsed `repodata.json`.
fn records(index: &Value) -> Vec<(String, &Value)> {
    let mut records = Vec::new();
    for bucket in ["packages", "packages.conda"] {
        let bucket = index[bucket].as_object().into_iter().flatten();
        records.extend(bucket.map(|(file, record)| (file.clone(), record)));
    }
    for (extension, _) in FORMATS {
        let bucket = index["v3"][&extension[1..]]
            .as_object()
            .into_iter()
            .flatten();
        records.extend(bucket.map(|(stem, record)| (format!("{stem}{extension}"), record)));
    }
    records
}

/// Repository below the subdir, tag and package layer of a file.
fn place(file: &str) -> Option<(String, String, &'static str)> {
    let (stem, media_type) = FORMATS
        .iter()
        .find_map(|(extension, layer)| Some((file.strip_suffix(extension)?, *layer)))?;
    let mut parts = stem.rsplitn(3, '-');
    let (build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    let escape = |text: &str| {
        text.replace('+', "__p__")
            .replace('!', "__e__")
            .replace('=', "__eq__")
    };
    let prefix = if name.starts_with('_') { "zzz" } else { "" };
    Some((
        format!("{prefix}{name}"),
        escape(&format!("{version}-{build}")),
        media_type,
    ))
}
