//! The errors of this crate say their cause in their own text, and so have no `source` that says it again.
#![allow(clippy::unwrap_used)]

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::channel::ChannelError;
use crate::index::IndexError;
use crate::name::FileName;
use crate::repodata::{RecordError, RepodataError};
use crate::selection::UndistributableError;
use crate::shards::ShardError;
use crate::zst::ZstError;

/// The error and all its causes, as `{:#}` prints them of an `anyhow::Error`.
fn printed(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn an_error_says_its_cause_once() {
    let io = || io::Error::other("the cause");
    let json = || <serde_json::Error as serde::de::Error>::custom("the cause");
    let key = || "key".to_owned();
    let path = PathBuf::new;
    let repodata = || RepodataError::Write(io());
    let shard = || ShardError::Convert {
        key: key(),
        error: json(),
    };
    let what = "do";
    let errors: Vec<Box<dyn Error>> = vec![
        Box::new(repodata()),
        Box::new(RepodataError::Read {
            offset: 0,
            error: io(),
        }),
        Box::new(RepodataError::Key {
            key: key(),
            offset: 0,
            error: json(),
        }),
        Box::new(RepodataError::Value {
            key: key(),
            offset: 0,
            error: json(),
        }),
        Box::new(shard()),
        Box::new(ShardError::Io { what, error: io() }),
        Box::new(ShardError::from(repodata())),
        Box::new(IndexError::from(repodata())),
        Box::new(IndexError::from(shard())),
        Box::new(IndexError::Io {
            what,
            path: path(),
            error: io(),
        }),
        Box::new(ZstError::Read {
            written: 0,
            error: io(),
        }),
        Box::new(ZstError::Write {
            written: 0,
            error: io(),
        }),
        Box::new(ChannelError::Folder {
            folder: path(),
            error: io(),
        }),
        Box::new(UndistributableError::Json(json())),
    ];
    for error in errors {
        let text = printed(&*error);
        assert_eq!(text.matches("the cause").count(), 1, "{text}");
    }
    let name = RecordError::from(FileName::parse("no package").unwrap_err());
    let text = printed(&name);
    assert_eq!(text.matches("no package").count(), 1, "{text}");
}
