//! Debian's `docker-registry` (distribution) on a free port, with a storage
//! folder of its own, in memory where `/dev/shm` exists.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::token_server::{ISSUER, SERVICE, TokenServer};
use super::{free_port, memory_folder, program};
use crate::tls::TestCa;

/// How long a registry may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks whether it answers.
const POLL: Duration = Duration::from_millis(20);

/// Launches, when another process took the free port in between.
const LAUNCHES: usize = 5;

/// What a [`DockerRegistry`] asks of its clients.
#[derive(Default)]
pub struct DockerRegistryOptions<'a> {
    /// Name and password for HTTP Basic; `None`: open.
    pub login: Option<(&'a str, &'a str)>,
    /// Take tokens of this server.
    pub tokens: Option<&'a TokenServer>,
    /// Serve https with a certificate of this authority.
    pub tls: Option<&'a TestCa>,
}

/// A running registry with deletion enabled and no cache. It is killed when
/// dropped, its storage goes with it.
pub struct DockerRegistry {
    folder: TempDir,
    addr: SocketAddr,
    ca: Option<String>,
    child: Option<Child>,
}

impl DockerRegistry {
    /// An open registry over plain http.
    ///
    /// # Errors
    /// If `docker-registry` is not installed or does not come up: with its log.
    pub async fn launch() -> Result<Self> {
        Self::launch_with(&DockerRegistryOptions::default()).await
    }

    /// A registry with login or TLS.
    ///
    /// # Errors
    /// Like [`launch`](Self::launch).
    pub async fn launch_with(options: &DockerRegistryOptions<'_>) -> Result<Self> {
        let mut launches = 0;
        loop {
            launches += 1;
            let folder = memory_folder()?;
            let addr = free_port()?;
            configure(folder.path(), addr, options)?;
            let ca = options.tls.map(|ca| ca.pem().to_owned());
            let mut registry = Self {
                folder,
                addr,
                ca,
                child: None,
            };
            match registry.start().await {
                Ok(()) => return Ok(registry),
                Err(_)
                    if launches < LAUNCHES && registry.log().contains("address already in use") => {
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// `http://127.0.0.1:<port>`, or https.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// Address and port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The folder with distribution's storage (`docker/registry/v2/…`).
    #[must_use]
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// What it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills it as a crash would. Port and storage stay reserved for
    /// [`start`](Self::start).
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only for a process that has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it and starts it on the same port with the same storage.
    ///
    /// # Errors
    /// Like [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<()> {
        self.stop();
        self.start().await
    }

    /// Starts it after [`stop`](Self::stop), and waits until it answers.
    ///
    /// # Errors
    /// If it does not come up: with its log.
    pub async fn start(&mut self) -> Result<()> {
        self.stop();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let child = Command::new(program("docker-registry")?)
            .arg("serve")
            .arg(self.folder.path().join("config.yml"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("docker-registry does not start")?;
        self.child = Some(child);
        self.answers().await
    }

    async fn answers(&mut self) -> Result<()> {
        let mut client = reqwest::Client::builder().no_proxy();
        if let Some(ca) = &self.ca {
            client = client.tls_certs_only([reqwest::Certificate::from_pem(ca.as_bytes())?]);
        }
        let client = client.build()?;
        let url = format!("{}/v2/", self.url());
        let started = Instant::now();
        loop {
            if let Ok(response) = client.get(&url).send().await
                && [200, 401].contains(&response.status().as_u16())
            {
                // Not somebody else's who took the port: ours must be alive.
                if self.exited()?.is_none() {
                    return Ok(());
                }
            }
            if let Some(status) = self.exited()? {
                bail!("docker-registry ended with {status}:\n{}", self.log());
            }
            if started.elapsed() > START_DEADLINE {
                bail!("docker-registry does not answer at {url}:\n{}", self.log());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn exited(&mut self) -> Result<Option<std::process::ExitStatus>> {
        let child = self
            .child
            .as_mut()
            .context("docker-registry was not started")?;
        Ok(child.try_wait()?)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Writes `config.yml` and what it refers to. JSON is YAML.
fn configure(folder: &Path, addr: SocketAddr, options: &DockerRegistryOptions<'_>) -> Result<()> {
    let mut config = json!({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": true}},
        "storage": {
            "filesystem": {"rootdirectory": folder.join("storage")},
            "delete": {"enabled": true},
            "maintenance": {"uploadpurging": {"enabled": false}},
        },
        "http": {"addr": addr.to_string(), "secret": "the test's own"},
    });
    if let Some((user, password)) = options.login {
        let path = folder.join("htpasswd");
        // The lowest cost: each request is checked against it.
        let hash = bcrypt::hash(password, 4)?;
        std::fs::write(&path, format!("{user}:{hash}\n"))?;
        config["auth"] = json!({"htpasswd": {"realm": "test", "path": path}});
    }
    if let Some(tokens) = options.tokens {
        let path = folder.join("tokens.pem");
        std::fs::write(&path, tokens.authority())?;
        config["auth"] = json!({"token": {
            "realm": tokens.realm(),
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": path,
        }});
    }
    if let Some(ca) = options.tls {
        config["http"]["tls"] = tls(folder, ca)?;
    }
    Ok(std::fs::write(
        folder.join("config.yml"),
        config.to_string(),
    )?)
}

fn tls(folder: &Path, ca: &TestCa) -> Result<Value> {
    let made = ca.issue();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.certificate)?;
    std::fs::write(&key, made.key)?;
    Ok(json!({"certificate": certificate, "key": key}))
}
