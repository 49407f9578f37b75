//! A private RabbitMQ: Debian's `rabbitmq-server` as a node of its own, on free ports, with data, log and
//! name server (epmd) of its own, so that brokers of several tests do not meet.
//!
//! It takes about five seconds to start and 150 MB: tests of one binary share [`RabbitMq::shared`], each with
//! its own queue name; a test that stops its broker launches one.

mod config;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use self::config::Ports;
use super::leash::Leash;
use super::{free_port, memory_folder, program};
use crate::tls::TestCa;

/// The environment variable with the path of another `rabbitmq-server`, whose folder also has its `rabbitmqctl`.
pub const RABBITMQ_VARIABLE: &str = "CONDA_OCI_TEST_RABBITMQ";

/// Where Debian has the server itself; the one in `/usr/sbin` wants to be the system's.
const DEBIAN: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// How long a broker may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Between two looks whether it answers.
const POLL: Duration = Duration::from_millis(50);

/// Launches, when another process took a free port in between.
const LAUNCHES: usize = 5;

static SHARED: OnceCell<RabbitMq> = OnceCell::const_new();

/// What a [`RabbitMq`] is to be like.
#[derive(Default)]
pub struct RabbitMqOptions<'a> {
    /// How long a delivery may go unacknowledged; `None`: the broker's default, half an hour.
    pub consumer_timeout: Option<Duration>,
    /// Also serve `amqps` with a certificate of this authority.
    pub tls: Option<&'a TestCa>,
}

/// A running broker, killed when dropped or when this process ends; its data goes with it.
pub struct RabbitMq {
    folder: TempDir,
    ports: Ports,
    running: Option<Running>,
}

struct Running {
    names: Child,
    server: Child,
    leash: Leash,
}

impl RabbitMq {
    /// The broker that all tests of this process share. It is never stopped; use a queue name of your own.
    ///
    /// # Errors
    /// Like [`launch`](Self::launch).
    pub async fn shared() -> Result<&'static Self> {
        SHARED.get_or_try_init(Self::launch).await
    }

    /// A broker with its defaults.
    ///
    /// # Errors
    /// If `rabbitmq-server` is not installed or does not come up: with its log.
    pub async fn launch() -> Result<Self> {
        Self::launch_with(&RabbitMqOptions::default()).await
    }

    /// A broker as `options` want it.
    ///
    /// # Errors
    /// Like [`launch`](Self::launch).
    pub async fn launch_with(options: &RabbitMqOptions<'_>) -> Result<Self> {
        let mut launches = 0;
        loop {
            launches += 1;
            let folder = memory_folder()?;
            let ports = Ports {
                amqp: free_port()?,
                amqps: free_port()?,
                distribution: free_port()?,
                names: free_port()?,
            };
            config::write(folder.path(), &ports, options.consumer_timeout, options.tls)?;
            let mut broker = Self {
                folder,
                ports,
                running: None,
            };
            match broker.start().await {
                Ok(()) => return Ok(broker),
                Err(_) if launches < LAUNCHES && broker.log().contains("eaddrinuse") => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// `amqp://guest:guest@127.0.0.1:<port>/%2f`
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}/%2f", self.ports.amqp)
    }

    /// The same over TLS, where [`RabbitMqOptions::tls`] was asked for.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("amqps://guest:guest@{}/%2f", self.ports.amqps)
    }

    /// Where it listens for AMQP.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.ports.amqp
    }

    /// What it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Kills it as a crash would. Ports and data stay for [`start`](Self::start).
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            kill_group(&running.names);
            // Both fail only for a process that has ended already.
            let _ = running.server.wait();
            let _ = running.names.wait();
            running.leash.release();
        }
    }

    /// Starts it after [`stop`](Self::stop) on the same ports with its data, and waits until it answers.
    ///
    /// # Errors
    /// If it does not come up: with its log.
    pub async fn start(&mut self) -> Result<()> {
        self.stop();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let mut names = Command::new(program("epmd")?)
            .args(["-address", "127.0.0.1", "-port"])
            .arg(self.ports.names.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0)
            .spawn()
            .context("epmd does not start")?;
        let group = i32::try_from(names.id())?;
        let server = self
            .command(server_program()?)
            // The script then becomes the server, and waiting for one is waiting for the other.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(group)
            .spawn();
        let server = match server {
            Ok(server) => server,
            Err(error) => {
                kill_group(&names);
                let _ = names.wait();
                return Err(error).context("rabbitmq-server does not start");
            }
        };
        let leash = Leash::on(names.id(), self.folder.path())?;
        self.running = Some(Running {
            names,
            server,
            leash,
        });
        self.answers().await
    }

    /// Starts it after [`stop`](Self::stop) with all its data lost.
    ///
    /// # Errors
    /// If it does not come up: with its log.
    pub async fn start_empty(&mut self) -> Result<()> {
        self.stop();
        let data = self.folder.path().join("data");
        std::fs::remove_dir_all(&data)?;
        std::fs::create_dir(&data)?;
        self.start().await
    }

    /// Runs `rabbitmqctl` on it; takes seconds.
    ///
    /// # Errors
    /// If the command fails: with what it printed.
    pub fn control(&self, arguments: &[&str]) -> Result<String> {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .command(server_program()?.with_file_name("rabbitmqctl"))
            .args(["-n", NODE])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .context("rabbitmqctl does not start")?;
        let said = String::from_utf8_lossy(&stdout).into_owned();
        ensure!(
            status.success(),
            "rabbitmqctl {arguments:?}: {said}{}",
            String::from_utf8_lossy(&stderr)
        );
        Ok(said)
    }

    /// A program of the broker, in the environment that makes it this one.
    fn command(&self, program: PathBuf) -> Command {
        let own = |name: &str| self.folder.path().join(name);
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("LANG", "C.UTF-8")
            .env("HOME", own("home"))
            .env("ERL_EPMD_PORT", self.ports.names.port().to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", NODE)
            .env(
                "RABBITMQ_DIST_PORT",
                self.ports.distribution.port().to_string(),
            )
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .env("RABBITMQ_MNESIA_BASE", own("data"))
            .env("RABBITMQ_LOG_BASE", own("logs"))
            .env("RABBITMQ_CONFIG_FILE", own("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", own("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", own("enabled_plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", own("none"));
        command
    }

    async fn answers(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let running = self
                .running
                .as_mut()
                .context("the broker was not started")?;
            if let Some(status) = running.server.try_wait()? {
                bail!("rabbitmq-server ended with {status}:\n{}", self.log());
            }
            if greets(self.ports.amqp) {
                return Ok(());
            }
            if started.elapsed() > START_DEADLINE {
                bail!("rabbitmq-server does not answer:\n{}", self.log());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The node's name; nodes of other tests have other name servers.
const NODE: &str = "mirror@localhost";

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.stop();
    }
}

fn server_program() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(RABBITMQ_VARIABLE) {
        return Ok(given.into());
    }
    let debian = PathBuf::from(DEBIAN);
    if debian.is_file() {
        return Ok(debian);
    }
    program("rabbitmq-server")
}

/// Whether an AMQP broker opens the conversation at `addr`.
fn greets(addr: SocketAddr) -> bool {
    let greeted = || -> std::io::Result<()> {
        let patience = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&addr, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        stream.read_exact(&mut [0; 8])
    };
    greeted().is_ok()
}

fn kill_group(leader: &Child) {
    let leader = i32::try_from(leader.id()).ok().and_then(Pid::from_raw);
    if let Some(leader) = leader {
        // Fails only for a group that has ended already.
        let _ = kill_process_group(leader, Signal::KILL);
    }
}
