//! Debian's `redis-server` on a free port, in a folder of its own, standalone or as a cluster of three.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::leash::Leash;
use super::program;
use crate::tls::TestCa;

/// How long a server may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks whether it answers.
const POLL: Duration = Duration::from_millis(10);

/// Launches, when another process took the free port in between.
const LAUNCHES: usize = 5;

static SHARED: OnceCell<RedisServer> = OnceCell::const_new();

/// What is special about a [`RedisServer`].
#[derive(Default)]
pub struct RedisOptions<'a> {
    /// The default user's password; `None`: open.
    pub password: Option<&'a str>,
    /// Serve TLS, and nothing else, with a certificate of this authority.
    pub tls: Option<&'a TestCa>,
    /// Keep an append-only file, so that a restart loses nothing.
    pub append_only: bool,
    /// Further directives, such as `("maxmemory-policy", "allkeys-lru")`.
    pub directives: &'a [(&'a str, &'a str)],
}

/// A running server. It is killed when dropped or when this process ends, its data goes with it.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    password: Option<String>,
    tls: bool,
    running: Option<(Child, Leash)>,
}

impl RedisServer {
    /// The open server that all tests of this process share. It is never stopped or flushed; mirrors to different
    /// registries do not meet in it.
    ///
    /// # Errors
    /// Like [`launch`](Self::launch).
    pub async fn shared() -> Result<&'static Self> {
        SHARED.get_or_try_init(Self::launch).await
    }

    /// An open server that keeps everything in memory alone.
    ///
    /// # Errors
    /// If `redis-server` is not installed or does not come up: with its log.
    pub async fn launch() -> Result<Self> {
        Self::launch_with(&RedisOptions::default()).await
    }

    /// A server as the options say.
    ///
    /// # Errors
    /// Like [`launch`](Self::launch).
    pub async fn launch_with(options: &RedisOptions<'_>) -> Result<Self> {
        let mut launches = 0;
        loop {
            launches += 1;
            let folder = match Path::new("/dev/shm") {
                memory if memory.is_dir() => tempfile::tempdir_in(memory)?,
                _ => tempfile::tempdir()?,
            };
            let port = free_port()?;
            configure(folder.path(), port, options)?;
            let mut server = Self {
                folder,
                port,
                password: options.password.map(str::to_owned),
                tls: options.tls.is_some(),
                running: None,
            };
            match server.start().await {
                Ok(()) => return Ok(server),
                Err(_) if launches < LAUNCHES && server.log().contains("ddress already in use") => {
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// `redis://127.0.0.1:<port>`, with the password, or `rediss://`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        match &self.password {
            None => format!("{scheme}://{}", self.addr()),
            Some(password) => format!("{scheme}://:{password}@{}", self.addr()),
        }
    }

    /// Address and port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// What it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What `redis-cli` prints for the command.
    ///
    /// # Errors
    /// If it fails, or the server refuses the command.
    pub fn cli(&self, command: &[&str]) -> Result<String> {
        let output = self.run_cli(command)?;
        let said = String::from_utf8_lossy(&output.stdout);
        let meant = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "redis-cli {command:?}: {said}{meant}"
        );
        Ok(said.trim_end().to_owned())
    }

    /// A number of `INFO`, such as `used_memory`.
    ///
    /// # Errors
    /// If the server does not answer, or names no such number.
    pub fn info(&self, name: &str) -> Result<u64> {
        let info = self.cli(&["INFO"])?;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.with_context(|| format!("INFO has no {name}"))?;
        number.trim().parse().with_context(|| number.to_owned())
    }

    /// Loses everything, scripts included, as a restart without persistence would.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn flush(&self) -> Result<()> {
        self.cli(&["FLUSHALL", "SYNC"])?;
        self.cli(&["SCRIPT", "FLUSH", "SYNC"])?;
        Ok(())
    }

    /// Kills it as a crash would. The port stays reserved for [`start`](Self::start).
    pub fn stop(&mut self) {
        if let Some((mut child, leash)) = self.running.take() {
            // Both fail only for a process that has ended already.
            let _ = child.kill();
            let _ = child.wait();
            leash.release();
        }
    }

    /// Starts it after [`stop`](Self::stop), and waits until it answers.
    ///
    /// # Errors
    /// If it does not come up: with its log.
    pub async fn start(&mut self) -> Result<()> {
        self.start_without_waiting()?;
        self.answers().await
    }

    /// Starts it and leaves it to others to wait until it answers.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn start_without_waiting(&mut self) -> Result<()> {
        self.stop();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let mut child = Command::new(program("redis-server")?)
            .arg(self.folder.path().join("redis.conf"))
            .current_dir(self.folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("redis-server does not start")?;
        match Leash::on(child.id(), self.folder.path()) {
            Ok(leash) => self.running = Some((child, leash)),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        }
        Ok(())
    }

    async fn answers(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let output = self.run_cli(&["PING"])?;
            if output.stdout.starts_with(b"PONG") && self.exited()?.is_none() {
                return Ok(());
            }
            if let Some(status) = self.exited()? {
                bail!("redis-server ended with {status}:\n{}", self.log());
            }
            if started.elapsed() > START_DEADLINE {
                bail!("redis-server does not answer:\n{}", self.log());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn exited(&mut self) -> Result<Option<std::process::ExitStatus>> {
        let (child, _) = self
            .running
            .as_mut()
            .context("redis-server was not started")?;
        Ok(child.try_wait()?)
    }

    fn run_cli(&self, command: &[&str]) -> Result<Output> {
        let mut cli = Command::new(program("redis-cli")?);
        cli.args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(password) = &self.password {
            cli.env("REDISCLI_AUTH", password);
        }
        if self.tls {
            cli.args(["--tls", "--insecure"]);
        }
        cli.args(command).output().context("redis-cli")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Three servers that share the slots, without replicas.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Launches three servers and joins them; every slot is served when this returns.
    ///
    /// # Errors
    /// If one does not come up or they do not find each other.
    pub async fn launch() -> Result<Self> {
        let mut nodes = Vec::new();
        for (first, last) in [(0, 5460), (5461, 10922), (10923, 16383)] {
            let options = RedisOptions {
                // A cluster's own port is, unless told, 10000 above: often beyond the last port.
                directives: &[
                    ("cluster-enabled", "yes"),
                    ("cluster-port", &free_port()?.to_string()),
                ],
                ..RedisOptions::default()
            };
            let node = RedisServer::launch_with(&options).await?;
            let (first, last) = (first.to_string(), last.to_string());
            node.cli(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
            nodes.push(node);
        }
        for (number, node) in nodes.iter().enumerate() {
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()])?;
        }
        for other in &nodes[1..] {
            let bus = other.cli(&["CONFIG", "GET", "cluster-port"])?;
            let bus = bus.lines().last().unwrap_or_default().to_owned();
            let port = other.port.to_string();
            nodes[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        let cluster = Self { nodes };
        let started = Instant::now();
        while !cluster.is_whole()? {
            ensure!(
                started.elapsed() < START_DEADLINE,
                "the cluster does not come together:\n{}",
                cluster.nodes[0].cli(&["CLUSTER", "NODES"])?
            );
            tokio::time::sleep(POLL).await;
        }
        Ok(cluster)
    }

    fn is_whole(&self) -> Result<bool> {
        for node in &self.nodes {
            let info = node.cli(&["CLUSTER", "INFO"])?;
            if !info.contains("cluster_state:ok") || !info.contains("cluster_known_nodes:3") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The address of one of them.
    #[must_use]
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// The servers.
    #[must_use]
    pub fn nodes(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Writes `redis.conf` and what it refers to.
fn configure(folder: &Path, port: u16, options: &RedisOptions<'_>) -> Result<()> {
    let mut lines = vec!["bind 127.0.0.1".to_owned(), "save \"\"".to_owned()];
    if let Some(ca) = options.tls {
        let made = ca.issue();
        std::fs::write(folder.join("certificate.pem"), made.certificate)?;
        std::fs::write(folder.join("key.pem"), made.key)?;
        lines.extend([
            "port 0".to_owned(),
            format!("tls-port {port}"),
            "tls-cert-file certificate.pem".to_owned(),
            "tls-key-file key.pem".to_owned(),
            "tls-ca-cert-file certificate.pem".to_owned(),
            "tls-auth-clients no".to_owned(),
        ]);
    } else {
        lines.push(format!("port {port}"));
    }
    lines.extend(options.password.map(|word| format!("requirepass {word}")));
    if options.append_only {
        lines.push("appendonly yes\nappendfsync always".to_owned());
    }
    let further = options.directives.iter();
    lines.extend(further.map(|(name, value)| format!("{name} {value}")));
    lines.push(String::new());
    Ok(std::fs::write(folder.join("redis.conf"), lines.join("\n"))?)
}
