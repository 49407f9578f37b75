//! Named points at which a crash test kills or holds the process. Without the `fail-points`
//! feature [`hit`] is empty.
//!
//! The environment variable `CONDA_OCI_FAIL_POINTS` holds `name=kill`, `name=kill@3` (at the third
//! hit) or `name=pause:/path` (creates the file, then waits for ever), joined by `;`.

/// Passes the point `name`; a scripted one never returns.
#[cfg(not(feature = "fail-points"))]
#[allow(clippy::unused_async)]
#[inline]
pub async fn hit(_name: &'static str) {}

/// Passes the point `name`; a scripted one never returns.
#[cfg(feature = "fail-points")]
pub async fn hit(name: &'static str) {
    if let Some(action) = script::due(name) {
        script::perform(action).await;
    }
}

/// Like [`hit`] for code that runs on a blocking thread. Only `kill` is possible there.
#[cfg_attr(not(feature = "fail-points"), allow(unused_variables))]
#[inline]
pub fn hit_blocking(name: &'static str) {
    #[cfg(feature = "fail-points")]
    if script::due(name).is_some() {
        script::kill();
    }
}

#[cfg(feature = "fail-points")]
mod script {
    use std::collections::HashMap;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{LazyLock, Mutex};

    #[derive(Clone)]
    pub(super) enum Action {
        Kill,
        Pause(PathBuf),
    }

    struct Point {
        action: Action,
        nth: u64,
        hits: AtomicU64,
    }

    static POINTS: LazyLock<Mutex<HashMap<String, Point>>> = LazyLock::new(|| {
        let text = std::env::var("CONDA_OCI_FAIL_POINTS").unwrap_or_default();
        let points = text.split(';').filter(|part| !part.is_empty());
        Mutex::new(
            points
                .map(|part| {
                    parse(part).unwrap_or_else(|| panic!("cannot read fail point `{part}`"))
                })
                .collect(),
        )
    });

    fn parse(part: &str) -> Option<(String, Point)> {
        let (name, action) = part.split_once('=')?;
        let (action, nth) = match action.split_once('@') {
            Some((action, nth)) => (action, nth.parse().ok()?),
            None => (action, 1),
        };
        let action = match action.split_once(':') {
            None if action == "kill" => Action::Kill,
            Some(("pause", path)) => Action::Pause(path.into()),
            _ => return None,
        };
        let hits = AtomicU64::new(0);
        Some((name.to_owned(), Point { action, nth, hits }))
    }

    pub(super) fn due(name: &str) -> Option<Action> {
        let points = POINTS.lock().expect("no panic while the lock is held");
        let point = points.get(name)?;
        let hit = point.hits.fetch_add(1, Ordering::SeqCst) + 1;
        (hit == point.nth).then(|| point.action.clone())
    }

    pub(super) async fn perform(action: Action) {
        match action {
            Action::Kill => kill(),
            Action::Pause(marker) => {
                std::fs::write(marker, b"").expect("the test gives a path that can be written");
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) fn kill() -> ! {
        use rustix::process::{Signal, getpid, kill_process};
        kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        unreachable!("SIGKILL cannot be survived");
    }
}
