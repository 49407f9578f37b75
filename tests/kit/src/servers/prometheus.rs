//! Debian's `prometheus` on a free port, in a folder of its own: scrapes what a test shows it, and answers questions.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::leash::Leash;
use super::{free_port, program};

/// How long it may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks whether it answers.
const POLL: Duration = Duration::from_millis(50);

/// Launches, when another process took the free port in between.
const LAUNCHES: usize = 5;

/// A running Prometheus. It is killed when dropped or when this process ends, its data goes with it.
pub struct Prometheus {
    child: Child,
    leash: Option<Leash>,
    folder: TempDir,
    address: SocketAddr,
    client: reqwest::Client,
}

impl Prometheus {
    /// One that scrapes `targets` each second, and reckons the rules of a file.
    ///
    /// # Errors
    /// If `prometheus` is not installed or does not come up: with its log.
    pub async fn launch(targets: &[SocketAddr], rules: &Path) -> Result<Self> {
        let mut launches = 0;
        loop {
            launches += 1;
            let mut server = Self::spawn(targets, rules)?;
            match server.answers().await {
                Ok(()) => return Ok(server),
                Err(_)
                    if launches < LAUNCHES && server.log().contains("address already in use") => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn spawn(targets: &[SocketAddr], rules: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        // YAML takes JSON.
        let settings = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules.canonicalize().context("the rules")?],
            "scrape_configs": [{"job_name": "conda-oci", "static_configs": [{"targets": targets}]}],
        });
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, settings.to_string())?;
        let address = free_port()?;
        let log = File::create(folder.path().join("log"))?;
        let mut child = Command::new(program("prometheus")?)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("prometheus does not start")?;
        let leash = match Leash::on(child.id(), folder.path()) {
            Ok(leash) => Some(leash),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let client = reqwest::Client::builder().no_proxy();
        let client = client.timeout(Duration::from_secs(10)).build()?;
        Ok(Self {
            child,
            leash,
            folder,
            address,
            client,
        })
    }

    /// The series that an expression comes to now, each with labels (`metric`) and `value`.
    ///
    /// # Errors
    /// If it is no expression, or there is no answer.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let answer = self.get("query", &[("query", expression)]).await?;
        let series = answer["data"]["result"].as_array();
        Ok(series.context("an instant vector")?.clone())
    }

    /// The rules of alerts, as its API shows them: `name`, `health`, `lastError`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn alerts(&self) -> Result<Vec<Value>> {
        let answer = self.get("rules", &[("type", "alert")]).await?;
        let groups = answer["data"]["groups"].as_array().context("groups")?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array());
        Ok(rules.flatten().cloned().collect())
    }

    async fn get(&self, what: &str, asked: &[(&str, &str)]) -> Result<Value> {
        let url = format!("http://{}/api/v1/{what}", self.address);
        let answer = self.client.get(url).query(asked).send().await?;
        let answer: Value = answer.json().await?;
        ensure!(answer["status"] == "success", "{asked:?}: {answer}");
        Ok(answer)
    }

    async fn answers(&mut self) -> Result<()> {
        let started = Instant::now();
        let ready = format!("http://{}/-/ready", self.address);
        loop {
            let answer = self.client.get(&ready).send().await;
            if let Some(status) = self.child.try_wait()? {
                bail!("prometheus ended with {status}:\n{}", self.log());
            }
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if started.elapsed() > START_DEADLINE {
                bail!("prometheus does not answer:\n{}", self.log());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(leash) = self.leash.take() {
            leash.release();
        }
    }
}
