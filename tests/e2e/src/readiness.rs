//! What a process answers at `/readyz`.

use std::time::Duration;

use mirror_kit::process::Running;
use tokio::time::{Instant, sleep};

/// How long it may take to change its answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A port for `--listen` that nobody used a moment ago.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it has one").port()
}

/// Waits until the process says that it takes work.
///
/// # Panics
/// If it does not.
pub async fn ready(port: u16, process: &Running) {
    answers(port, process, 200, "ready").await;
}

/// Waits until the process says that it takes no work, and why.
///
/// # Panics
/// If it does not.
pub async fn unready(port: u16, process: &Running, why: &str) {
    answers(port, process, 503, why).await;
}

async fn answers(port: u16, process: &Running, status: u16, text: &str) {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    let url = format!("http://127.0.0.1:{port}/readyz");
    let started = Instant::now();
    let mut last = String::new();
    loop {
        if let Ok(answer) = client.get(&url).send().await {
            let (found, body) = (answer.status(), answer.text().await.unwrap_or_default());
            if found == status && body.contains(text) {
                return;
            }
            last = format!("{found} {body}");
        }
        let stderr = process.stderr();
        assert!(
            started.elapsed() < PATIENCE,
            "waited for {status} {text}: {last}\n{stderr}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}
