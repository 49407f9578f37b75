//! What people see while a run goes on: bars on a terminal, a line every few seconds elsewhere.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mirror_queue::TaskQueue;
use mirror_runtime::telemetry::{Format, PROGRESS};
use mirror_worker::Activity;

use crate::summary::{SubdirSummary, duration, number, size};

/// Transfers that get a line of their own on a terminal.
const LINES: usize = 6;
/// How often a terminal is redrawn, and how often a line is written elsewhere.
const REDRAW: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Silent,
    Lines,
    Bars,
    /// Events of the log, for its collector.
    Events,
}

impl Style {
    /// Bars on a terminal, lines elsewhere, events in a log of JSON, nothing when the user wants quiet.
    pub(crate) fn pick(quiet: bool, log: Format) -> Self {
        match (quiet, log, io::stderr().is_terminal()) {
            (true, _, _) => Self::Silent,
            (false, Format::Json, _) => Self::Events,
            (false, Format::Text, true) => Self::Bars,
            (false, Format::Text, false) => Self::Lines,
        }
    }
}

/// Counters of a run, shared by its subdirs.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) activity: Arc<Activity>,
    planned_files: AtomicU64,
    planned_bytes: AtomicU64,
    settled_files: AtomicU64,
    settled_bytes: AtomicU64,
    failed: AtomicU64,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(activity: Arc<Activity>) -> Self {
        Self {
            activity,
            planned_files: AtomicU64::new(0),
            planned_bytes: AtomicU64::new(0),
            settled_files: AtomicU64::new(0),
            settled_bytes: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    pub(crate) fn plan(&self, files: u64, bytes: u64) {
        self.planned_files.fetch_add(files, Ordering::Relaxed);
        self.planned_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn settle(&self, bytes: u64, failed: bool) {
        self.settled_files.fetch_add(1, Ordering::Relaxed);
        self.settled_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    /// Takes back what a subdir's plan came to so far: it is planned anew.
    pub(crate) fn forget(&self, summary: &SubdirSummary) {
        let settled = summary.done + summary.failed;
        for (counter, counted) in [
            (&self.planned_files, summary.planned_files),
            (&self.planned_bytes, summary.planned_bytes),
            (&self.settled_files, settled),
            (&self.settled_bytes, summary.done_bytes),
            (&self.failed, summary.failed),
        ] {
            counter.fetch_sub(counted, Ordering::Relaxed);
        }
    }

    fn line(&self, retries: u64) -> String {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (files, planned) = (get(&self.settled_files), get(&self.planned_files));
        let (bytes, all_bytes) = (get(&self.settled_bytes), get(&self.planned_bytes));
        let elapsed = self.started.elapsed().as_secs_f64().max(0.001);
        let downloaded = self.activity.downloaded();
        let mut line = format!(
            "{files}/{}, {}/{}",
            number(planned, "file"),
            size(bytes),
            size(all_bytes)
        );
        // Also before the first file is whole: it may take an hour.
        if downloaded > 0 && files < planned {
            let rate = downloaded as f64 / elapsed;
            line.push_str(&format!(", {}/s", size(rate as u64)));
        }
        if files > 0 && files < planned {
            let left = elapsed * (planned - files) as f64 / files as f64;
            let left = duration(Duration::from_secs_f64(left));
            line.push_str(&format!(", about {left} left"));
        }
        match get(&self.failed) {
            0 => {}
            failed => line.push_str(&format!(", {failed} failed")),
        }
        match retries {
            0 => {}
            1 => line.push_str(", 1 build waits for another try"),
            builds => line.push_str(&format!(", {builds} builds wait for another try")),
        }
        line
    }

    /// Shows the progress until the returned future is dropped. `queue` knows what waits for another try.
    pub(crate) async fn show(&self, style: Style, screen: &Screen, queue: &dyn TaskQueue) {
        match style {
            Style::Silent => std::future::pending().await,
            Style::Lines => {
                // Standard error may be closed; progress is not worth failing for.
                self.every(queue, |retries| {
                    let _ = writeln!(io::stderr(), "{}", self.line(retries));
                })
                .await;
            }
            Style::Events => self.every(queue, |retries| self.event(retries)).await,
            Style::Bars => self.bars(&screen.0, queue).await,
        }
    }

    async fn every(&self, queue: &dyn TaskQueue, say: impl Fn(u64)) {
        let mut tick =
            tokio::time::interval_at(tokio::time::Instant::now() + LINE_EVERY, LINE_EVERY);
        loop {
            tick.tick().await;
            if self.planned_files.load(Ordering::Relaxed) > 0 {
                say(retries(queue).await);
            }
        }
    }

    fn event(&self, retries: u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        tracing::info!(
            target: PROGRESS,
            files = get(&self.settled_files),
            planned_files = get(&self.planned_files),
            bytes = get(&self.settled_bytes),
            planned_bytes = get(&self.planned_bytes),
            failed = get(&self.failed),
            retries,
            downloaded_bytes = self.activity.downloaded(),
            "progress"
        );
    }

    async fn bars(&self, screen: &MultiProgress, queue: &dyn TaskQueue) {
        let plain =
            |template| ProgressStyle::with_template(template).expect("the template is a constant");
        let total = screen.add(ProgressBar::new(0));
        total.set_style(plain("[{bar:30}] {msg}").progress_chars("=> "));
        let lines: Vec<_> = (0..LINES)
            .map(|_| {
                let line = screen.add(ProgressBar::new(0));
                line.set_style(plain("  {msg}"));
                line
            })
            .collect();
        let _cleared = Cleared(screen);
        let mut tick = tokio::time::interval(REDRAW);
        loop {
            tick.tick().await;
            total.set_length(self.planned_files.load(Ordering::Relaxed));
            total.set_position(self.settled_files.load(Ordering::Relaxed));
            total.set_message(self.line(retries(queue).await));
            let in_flight = self.activity.in_flight(LINES);
            for (at, line) in lines.iter().enumerate() {
                line.set_message(
                    in_flight
                        .get(at)
                        .map(|file| {
                            let of = file
                                .total
                                .map(|total| format!(" of {}", size(total)))
                                .unwrap_or_default();
                            format!("{} {}{of}", file.file, size(file.done))
                        })
                        .unwrap_or_default(),
                );
            }
        }
    }
}

/// Builds that wait for another try; none where the queue cannot be asked, for this is only shown.
async fn retries(queue: &dyn TaskQueue) -> u64 {
    queue.depth().await.map_or(0, |depth| depth.delayed)
}

/// Takes the bars off the screen when the display ends.
struct Cleared<'a>(&'a MultiProgress);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        let _ = self.0.clear();
    }
}

/// The terminal, shared by bars and log so that neither tears the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Screen(MultiProgress);

impl Screen {
    /// A bar of its own, for work that is no transfer.
    pub(crate) fn bar(&self) -> ProgressBar {
        self.0.add(ProgressBar::new(0))
    }

    /// Where the log writes.
    pub(crate) fn writer(&self) -> impl Fn() -> LogWriter + Send + Sync + 'static {
        let screen = self.0.clone();
        move || LogWriter(screen.clone())
    }
}

/// Writes to standard error with the bars out of the way.
pub(crate) struct LogWriter(MultiProgress);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_only_waits_for_another_try_says_so() {
        let progress = Progress::new(Arc::default());
        progress.plan(2, 3_000);
        assert_eq!(
            progress.line(1),
            "0/2 files, 0 B/3.0 kB, 1 build waits for another try"
        );
        progress.settle(1_000, true);
        let line = progress.line(2);
        assert!(
            line.starts_with("1/2 files, 1.0 kB/3.0 kB, about "),
            "{line}"
        );
        let ending = " left, 1 failed, 2 builds wait for another try";
        assert!(line.ends_with(ending), "{line}");
    }

    #[test]
    fn a_subdir_that_is_planned_anew_is_not_counted_twice() {
        let progress = Progress::new(Arc::default());
        let mut summary = SubdirSummary {
            planned_files: 2,
            planned_bytes: 3_000,
            ..SubdirSummary::default()
        };
        progress.plan(2, 3_000);
        progress.settle(1_000, false);
        (summary.done, summary.done_bytes) = (1, 1_000);
        progress.forget(&summary);
        progress.plan(2, 3_000);
        assert_eq!(progress.line(0), "0/2 files, 0 B/3.0 kB");
    }
}
