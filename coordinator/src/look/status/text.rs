//! What a look found, for people.

use std::time::Duration;

use super::seen::{Seen, State, Subdir, WorkerSeen};
use crate::summary::{ago, duration, number, size};

/// Workers that get a line.
const WORKERS: usize = 12;
/// Files of one that are named.
const FILES: usize = 2;

/// All of it.
pub(super) fn whole(seen: &Seen) -> String {
    let mut text = format!("{}\n", title(seen));
    if seen.subdirs.is_empty() {
        text.push_str("  nothing is remembered of it\n");
    } else {
        text.push_str(&table(&rows(seen)));
    }
    for run in runs(seen) {
        text.push_str(&format!("run: {run}\n"));
    }
    if seen.subdirs.iter().any(|subdir| subdir.paused) {
        text.push_str("paused: workers begin nothing new until `conda-oci resume`\n");
    }
    let failed: u64 = seen.subdirs.iter().map(|subdir| subdir.files.failed).sum();
    if failed > 0 {
        let files = number(failed, "file");
        text.push_str(&format!("failed: {files}; `conda-oci failures` says why\n"));
    }
    if let Some(queue) = &seen.queue {
        let (name, broker) = (&queue.name, &queue.broker);
        text.push_str(&match (&queue.error, queue.ready, queue.delayed) {
            (Some(error), ..) => format!("queue: {name} at {broker} cannot be seen: {error}\n"),
            (None, ready, delayed) => format!(
                "queue: {} ready in {name} at {broker}, {} waiting for another try\n",
                ready.unwrap_or(0),
                delayed.unwrap_or(0)
            ),
        });
    }
    for parked in &seen.parked {
        let left = duration(Duration::from_millis(parked.left_ms));
        let why = one_line(&parked.why);
        text.push_str(&format!("parked: {} for {left}: {why}\n", parked.host));
    }
    if let Some(workers) = &seen.workers {
        text.push_str(&match workers.count {
            0 => "workers: none; start some with `conda-oci-worker`\n".to_owned(),
            count => format!("workers: {count}\n"),
        });
        let shown = workers.listed.iter().take(WORKERS).map(worker);
        text.push_str(&table(&shown.collect::<Vec<_>>()));
        let others = workers
            .count
            .saturating_sub(workers.listed.len().min(WORKERS) as u64);
        if others > 0 {
            text.push_str(&format!("  and {}\n", number(others, "more worker")));
        }
    }
    text
}

/// The sum of it in one line.
pub(super) fn line(seen: &Seen) -> String {
    let sum = |of: fn(&Subdir) -> u64| seen.subdirs.iter().map(of).sum::<u64>();
    let planned = sum(|subdir| subdir.files.planned);
    let settled = planned.saturating_sub(sum(|subdir| subdir.files.left));
    let mut parts = vec![
        format!("{settled}/{}", number(planned, "file")),
        format!(
            "{}/{}",
            size(sum(|subdir| subdir.bytes.done)),
            size(sum(|subdir| subdir.bytes.planned))
        ),
    ];
    let failed = sum(|subdir| subdir.files.failed);
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    let working = || {
        let working = |subdir: &&Subdir| subdir.seconds_left.is_some();
        seen.subdirs.iter().filter(working)
    };
    let rate: f64 = working().map(|subdir| subdir.bytes_per_second).sum();
    if let Some(left) = working().filter_map(|subdir| subdir.seconds_left).max() {
        parts.push(format!("{}/s", size(rate as u64)));
        parts.push(format!(
            "about {} left",
            duration(Duration::from_secs(left))
        ));
    }
    if let Some(workers) = &seen.workers {
        parts.push(number(workers.count, "worker"));
    }
    for (state, name) in [
        (State::Unfollowed, "unfollowed"),
        (State::Cancelled, "cancelled"),
    ] {
        if seen.subdirs.iter().any(|subdir| subdir.state == state) {
            parts.push(name.to_owned());
        }
    }
    if seen.subdirs.iter().any(|subdir| subdir.paused) {
        parts.push("paused".to_owned());
    }
    parts.extend(
        seen.parked
            .iter()
            .map(|parked| format!("{} parked", parked.host)),
    );
    format!("{}: {}\n", title(seen), parts.join(", "))
}

fn title(seen: &Seen) -> String {
    let whole = format!("{} to {}", seen.channel, seen.registry);
    match &seen.name {
        Some(name) => format!("{name} ({whole})"),
        None => whole,
    }
}

/// The runs that have a subdir, each once.
fn runs(seen: &Seen) -> Vec<&str> {
    let mut runs: Vec<_> = seen
        .subdirs
        .iter()
        .filter_map(|subdir| subdir.run.as_deref())
        .collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

fn rows(seen: &Seen) -> Vec<Vec<String>> {
    let head = [
        "subdir",
        "state",
        "planned",
        "done",
        "failed",
        "left",
        "bytes",
        "rate",
        "time left",
        "published",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(seen.subdirs.iter().map(|subdir| row(subdir, seen.at_ms)));
    rows
}

fn row(subdir: &Subdir, now_ms: u64) -> Vec<String> {
    let files = subdir.files;
    let nothing = || "-".to_owned();
    let rate = match subdir.bytes_per_second as u64 {
        0 => nothing(),
        rate => format!("{}/s", size(rate)),
    };
    let left = subdir
        .seconds_left
        .map(|left| duration(Duration::from_secs(left)));
    vec![
        subdir.subdir.clone(),
        subdir.state.name().to_owned(),
        files.planned.to_string(),
        files.done.to_string(),
        files.failed.to_string(),
        files.left.to_string(),
        format!(
            "{} of {}",
            size(subdir.bytes.done),
            size(subdir.bytes.planned)
        ),
        rate,
        left.unwrap_or_else(nothing),
        subdir
            .published
            .map_or_else(nothing, |published| ago(now_ms, published.at_ms)),
    ]
}

fn worker(worker: &WorkerSeen) -> Vec<String> {
    let now = match (&worker.waits, worker.files.as_slice()) {
        (Some(why), _) => format!("waits: {}", one_line(why)),
        (None, []) => "idle".to_owned(),
        (None, files) => {
            let file = |file: &mirror_worker::presence::TransferNow| {
                let of = file.total.map(|total| format!(" of {}", size(total)));
                format!(
                    "{} {}{}",
                    file.file,
                    size(file.done),
                    of.unwrap_or_default()
                )
            };
            let named: Vec<_> = files.iter().take(FILES).map(file).collect();
            named.join(", ")
        }
    };
    vec![
        worker.name.clone(),
        format!("{} of {}", worker.in_flight, worker.slots),
        format!("{} done", worker.done),
        format!("{} failed", worker.failed),
        now,
    ]
}

/// Rows in columns, the last one ragged.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("  {cell:<width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
