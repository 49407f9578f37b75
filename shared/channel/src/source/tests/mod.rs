#![allow(clippy::unwrap_used)]

mod file;
mod index;
mod local;
mod server;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use mirror_runtime::host_budget::MemoryHostBudget;
use url::Url;

use crate::repodata::Limits;

use super::{FetchOptions, Fetcher, IndexAnswer, SourceError};

/// A fetcher as in production but for its pauses; proxies of this machine stay out of it.
fn fetcher() -> (Fetcher, Arc<MemoryHostBudget>) {
    with_read_timeout(Duration::from_secs(60))
}

fn with_read_timeout(read_timeout: Duration) -> (Fetcher, Arc<MemoryHostBudget>) {
    let options = FetchOptions {
        read_timeout,
        backoff: Duration::from_millis(1),
        system_proxy: false,
        ..FetchOptions::default()
    };
    let budget = Arc::new(MemoryHostBudget::default());
    (Fetcher::new(options, Arc::clone(&budget) as _), budget)
}

async fn read(fetcher: &Fetcher, url: &Url) -> Result<Vec<u8>, SourceError> {
    let opened = fetcher.open(url).await?;
    let chunks: Vec<_> = opened.bytes.try_collect().await?;
    Ok(chunks.concat())
}

/// The document and the validator of a fetched index.
fn fetched(answer: IndexAnswer) -> (String, String) {
    match answer {
        IndexAnswer::Fetched(index) => {
            let document = std::fs::read_to_string(index.file.path()).unwrap();
            assert_eq!(document.len() as u64, index.bytes);
            (document, index.validator)
        }
        other => panic!("{other:?}"),
    }
}

fn zst(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).unwrap()
}

fn at_most(bytes: u64) -> Limits {
    Limits {
        max_decompressed_bytes: bytes,
        ..Limits::default()
    }
}
