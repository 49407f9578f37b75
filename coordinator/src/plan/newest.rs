//! The first look at an index, where only the newest versions of each name are wanted.

use std::path::Path;
use std::sync::{Arc, Mutex};

use mirror_channel::repodata::{Limits, Record};
use mirror_channel::selection::{Newest, Selection};

use super::make::Inputs;
use super::rows::Rows;

/// Ranks the versions of each name, where only the newest are wanted.
pub(super) async fn newest(inputs: &Inputs<'_>) -> anyhow::Result<Option<Newest>> {
    ranked(inputs.selection, inputs.current, inputs.limits).await
}

/// The same of any selection and index.
pub(crate) async fn ranked(
    selection: &Arc<Selection>,
    index: &Path,
    limits: Limits,
) -> anyhow::Result<Option<Newest>> {
    let Some(ranking) = selection.ranking() else {
        return Ok(None);
    };
    let ranking = Arc::new(Mutex::new(ranking));
    let (selection, offered) = (Arc::clone(selection), Arc::clone(&ranking));
    let offer = move |record: &Record, json: &[u8]| {
        let mut ranking = offered.lock().expect("no panic under this lock");
        ranking.offer(&selection, record, json);
    };
    let mut rows = Rows::of(index, limits, offer)?;
    while let Some(batch) = rows.next().await {
        batch?;
    }
    drop(rows);
    let ranking = Arc::into_inner(ranking).expect("the reader has ended");
    let ranking = ranking.into_inner().expect("no panic under this lock");
    Ok(Some(ranking.finish()))
}
