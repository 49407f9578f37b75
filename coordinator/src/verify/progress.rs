//! What people see on a terminal while a mirror is verified. Elsewhere only a collector of JSON is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mirror_runtime::telemetry::PROGRESS;

use crate::progress::{Screen, Style};

/// Checks between two events for a collector.
const EVENT_EVERY: u64 = 1000;

/// How far a stage is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    events: bool,
    done: AtomicU64,
}

impl Progress {
    pub(crate) fn new(style: Style, screen: &Screen) -> Self {
        let bar = (style == Style::Bars).then(|| {
            let bar = screen.bar();
            let style =
                ProgressStyle::with_template("[{bar:30}] {pos}/{len} {msg}, about {eta} left");
            bar.set_style(
                style
                    .expect("the template is a constant")
                    .progress_chars("=> "),
            );
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            bar,
            events: style == Style::Events,
            done: AtomicU64::new(0),
        }
    }

    /// Begins with `what`, of which there are `all` and `done` were done before.
    pub(crate) fn begin(&self, what: String, all: u64, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_message(what);
            bar.set_length(all);
            bar.set_position(done);
        }
    }

    /// Leaves the terminal to another display.
    pub(crate) fn hide(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        if self.events && done.is_multiple_of(EVENT_EVERY) {
            tracing::info!(target: PROGRESS, checked = done, "progress");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
