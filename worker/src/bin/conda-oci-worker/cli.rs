//! The command line of a worker, and what it comes to.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use mirror_ledger::RedisOptions;
use mirror_oci::registry::{Address, Logins, RegistryAddress, Trust};
use mirror_queue::rabbitmq;
use mirror_runtime::descriptors;
use mirror_runtime::host_budget::Rates;
use mirror_runtime::settings::units::{Count, Size, Span};
use mirror_runtime::settings::{Hidden, LogArgs};
use mirror_worker::defaults::{ATTEMPTS, READ_TIMEOUT, SPOOL_SIZE};
use mirror_worker::extract::InfoLimits;

const WORKERS: NonZeroU16 = NonZeroU16::new(16).expect("not zero");
const GRACE: Span = Span(Duration::from_secs(60));

const AFTER: &str = "\
Examples:
  A worker with 32 transfers at once, for a registry that wants no login:
    conda-oci-worker --queue amqp://user:password@broker --state redis://redis --workers 32

  With a login, which goes to the registries named and to no other that a task may name:
    ORAS_USER=me ORAS_PASS=… conda-oci-worker --queue … --state … --registry ghcr.io

Start as many as you like, on any machines, and stop them at any time: what one leaves, another does.
On SIGTERM a worker takes no more tasks, goes on with those it has for --grace, hands back the rest, and ends
with 0. A second signal ends it at once.

Environment:
  Every option can be given as a variable: CONDA_OCI_QUEUE for --queue, and so on; those that can be
  repeated take one value a line. Command lines can be seen by others on the machine: give addresses
  with a password as CONDA_OCI_QUEUE and CONDA_OCI_STATE, or in files that CONDA_OCI_QUEUE_FILE and
  CONDA_OCI_STATE_FILE name.
  ORAS_USER, ORAS_PASS     login at the registries, both or neither; ORAS_PASS_FILE names a file with
                           the password
  ORAS_SOURCE_USER, ORAS_SOURCE_PASS
                           the same at the registries of --source, which packages are read from
  REGISTRY_AUTH_FILE       else the logins of this file, of ~/.docker/config.json and of Podman's
                           auth.json, each for its own registry (`docker login`, credential helpers)
  RATTLER_AUTH_FILE        logins at private channels, as pixi and rattler keep them; also ~/.rattler
                           and ~/.netrc
  SSL_CERT_FILE            certificates to trust instead of the system's
  HTTPS_PROXY, HTTP_PROXY  proxies for both channels and registries; NO_PROXY names what is reached
                           without them
  OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_* variables of OpenTelemetry: where traces and
                           metrics go by OTLP (http/protobuf); nowhere without them
  RUST_LOG                 the log's filter, such as mirror_oci=debug; over --quiet and --debug

Exit codes: 0 stopped by a signal, 2 could not run.";

/// Does the tasks of `conda-oci mirror --queue … --state …`: downloads, verifies and pushes packages.
#[derive(Debug, Parser)]
#[command(name = "conda-oci-worker", version, after_help = AFTER)]
pub(crate) struct Cli {
    /// The broker.
    // Said in an attribute, as rustdoc takes brackets for links.
    #[arg(
        long,
        value_name = "URL",
        help = "Broker that has the tasks: amqp[s]://user:password@host[:port][/vhost]",
        help_heading = "Where"
    )]
    queue: Option<Hidden>,

    /// Name of the queue, which keeps mirrors on one broker apart
    #[arg(
        long,
        value_name = "NAME",
        default_value = "conda-oci",
        help_heading = "Where"
    )]
    queue_name: String,

    /// The memory.
    #[arg(
        long,
        value_name = "URL",
        help = "Redis that remembers what is done: redis[s]://[user:password@]host[:port]",
        help_heading = "Where"
    )]
    state: Option<Hidden>,

    /// Certificates (PEM) to trust besides the system's: at registries, channels, the broker and Redis
    #[arg(long, value_name = "FILE", help_heading = "Where")]
    ca_file: Option<PathBuf>,

    /// Registry this worker may push to (a host with its port; http:// before it where it is to be logged in to without
    /// TLS), repeatable; needed with ORAS_USER, --username or a rate [default: any]
    #[arg(long = "registry", value_name = "HOST", help_heading = "Where")]
    registries: Vec<String>,

    /// User at the --registry; the password comes with --password-stdin. Goes before every other login
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    username: Option<String>,

    /// Read the password of --username from standard input, its first line
    #[arg(long, help_heading = "Where")]
    password_stdin: bool,

    /// Registry that is read from with a login: that of ORAS_SOURCE_USER, else its own of the files (a host with its port;
    /// http:// before it as of --registry), repeatable
    #[arg(long = "source", value_name = "HOST", help_heading = "Where")]
    sources: Vec<String>,

    /// Send blobs in pieces of at most this size, for a registry that takes no more in one request
    #[arg(long, value_name = "SIZE", help_heading = "Where")]
    max_chunk: Option<Size>,

    /// Believe any certificate of the registries; whoever is on the way can then read the login
    #[arg(long, help_heading = "Where")]
    insecure_skip_tls_verify: bool,

    /// Tasks may name folders, as channel or as destination: every worker and the coordinator see them under one path
    #[arg(long, help_heading = "Where")]
    shared_path: bool,

    /// Transfers at once [default: 16]
    #[arg(long, value_name = "N", help_heading = "How")]
    workers: Option<Count>,

    /// Most writes a minute at each --registry, of all workers together; give all the same [default: 2000 at ghcr.io]
    #[arg(long, value_name = "N", help_heading = "How")]
    max_writes_per_minute: Option<Count>,

    /// Most reads a minute at each --registry, of all workers together [default: unlimited]
    #[arg(long, value_name = "N", help_heading = "How")]
    max_reads_per_minute: Option<Count>,

    /// Tries of a build in one run before it counts as failed [default: 8]
    #[arg(long, value_name = "N", help_heading = "How")]
    attempts: Option<Count>,

    /// Longest silence of a channel, before an answer and within it [default: 60s]
    #[arg(long, value_name = "SPAN", help_heading = "How")]
    read_timeout: Option<Span>,

    /// Leave a task to the queue that takes longer than this, and go on; less than the broker's consumer_timeout [default: 20m]
    #[arg(long, value_name = "SPAN", help_heading = "How")]
    hand_over_after: Option<Span>,

    /// How long transfers may go on after SIGTERM [default: 60s]
    #[arg(long, value_name = "SPAN", help_heading = "How")]
    grace: Option<Span>,

    /// Folder for files in transit [default: conda-oci-worker among the temporary ones]
    #[arg(long, value_name = "DIR", help_heading = "How")]
    spool: Option<PathBuf>,

    /// Most bytes of files in transit; must hold the largest package [default: 20GB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    spool_size: Option<Size>,

    /// Most bytes that the info/ of a package may unpack to [default: 128MiB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    max_info_size: Option<Size>,

    /// Most bytes that a whole .tar.bz2 may unpack to [default: 64GiB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    max_unpacked_size: Option<Size>,

    /// Address for /healthz, /readyz and /metrics, such as 0.0.0.0:8080 [default: none]
    #[arg(long, value_name = "ADDRESS", help_heading = "Output")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    pub log: LogArgs,
}

/// What a worker is to do, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub queue: rabbitmq::Options,
    pub redis: RedisOptions,
    /// The registries it may push to; none: any.
    pub registries: Vec<RegistryAddress>,
    pub logins: Logins,
    /// The registries that are read from with a login.
    pub sources: Vec<RegistryAddress>,
    pub source_logins: Logins,
    pub trust: Trust,
    pub max_chunk: Option<NonZeroU64>,
    pub shared_path: bool,
    pub workers: usize,
    pub rates: Rates,
    pub attempts: u32,
    pub read_timeout: Duration,
    pub grace: Duration,
    pub spool: Option<PathBuf>,
    pub spool_size: u64,
    pub limits: InfoLimits,
    pub listen: Option<SocketAddr>,
}

impl Cli {
    pub(crate) fn is_scraped(&self) -> bool {
        self.listen.is_some()
    }

    /// Checks what was given and fills in the rest.
    pub(crate) fn settings(self) -> anyhow::Result<Settings> {
        let queue = Hidden::or_from_file(self.queue, "queue")?;
        let queue = queue
            .context("no queue: give --queue amqp://user:password@host, or set CONDA_OCI_QUEUE")?;
        let state = Hidden::or_from_file(self.state, "state")?;
        let state = state.context("no state: give --state redis://host, or set CONDA_OCI_STATE")?;
        let logins = Logins::of_process(self.username.as_deref(), self.password_stdin)?;
        let registries = addresses("--registry", &self.registries)?;
        let sources = addresses("--source", &self.sources)?;
        let source_logins = Logins::of_source()?;
        anyhow::ensure!(
            !source_logins.is_given() || !sources.is_empty(),
            "ORAS_SOURCE_USER and ORAS_SOURCE_PASS are set, but not what they are the login of: name the registry that is \
             read from with --source HOST"
        );
        anyhow::ensure!(
            !logins.is_given() || !registries.is_empty(),
            "ORAS_USER and ORAS_PASS are set (or --username is given), but not what they are the login of: name the registry with --registry HOST, or \
             whatever a task names would be given the password"
        );
        anyhow::ensure!(
            self.max_writes_per_minute
                .or(self.max_reads_per_minute)
                .is_none()
                || !registries.is_empty(),
            "--max-writes-per-minute and --max-reads-per-minute are for the registries that --registry HOST names: name yours"
        );
        let workers = self.workers.map_or(WORKERS, |count| {
            NonZeroU16::try_from(NonZeroU32::from(count.0)).unwrap_or(NonZeroU16::MAX)
        });
        let workers = descriptors::workers(workers.get().into())?;
        let mut options = rabbitmq::Options::new(rabbitmq::Address::parse(&queue)?);
        options.ca_file.clone_from(&self.ca_file);
        options.name = self.queue_name;
        if let Some(Span(span)) = self.hand_over_after {
            options.hand_over_after = span;
        }
        options.prefetch = u16::try_from(workers)
            .ok()
            .and_then(NonZeroU16::new)
            .unwrap_or(NonZeroU16::MIN);
        let mut redis = RedisOptions::new(state.expose());
        // It refuses certificates where there is no TLS.
        redis.ca_file = self
            .ca_file
            .clone()
            .filter(|_| state.expose().starts_with("rediss:"));
        let mut limits = InfoLimits::default();
        if let Some(Size(bytes)) = self.max_info_size {
            limits.info_bytes = bytes;
        }
        if let Some(Size(bytes)) = self.max_unpacked_size {
            limits.unpacked_bytes = bytes;
        }
        Ok(Settings {
            queue: options,
            redis,
            registries,
            logins,
            sources,
            source_logins,
            trust: Trust {
                ca_file: self.ca_file,
                skip_verification: self.insecure_skip_tls_verify,
            },
            max_chunk: self.max_chunk.and_then(|size| NonZeroU64::new(size.0)),
            shared_path: self.shared_path,
            workers,
            rates: Rates {
                writes: self.max_writes_per_minute.map(|count| count.0),
                reads: self.max_reads_per_minute.map(|count| count.0),
            },
            attempts: self.attempts.map_or(ATTEMPTS, |count| count.0).get(),
            read_timeout: self.read_timeout.map_or(READ_TIMEOUT, |span| span.0),
            grace: self.grace.unwrap_or(GRACE).0,
            spool: self.spool,
            spool_size: self.spool_size.map_or(SPOOL_SIZE, |size| size.0),
            limits,
            listen: self.listen,
        })
    }
}

/// Registries' addresses, which may be written with a namespace.
fn addresses(option: &str, registries: &[String]) -> anyhow::Result<Vec<RegistryAddress>> {
    let address = |registry: &String| match registry.parse::<Address>()? {
        Address::Registry(address) => Ok(address),
        Address::Folder(_) | Address::Channel(_) => {
            anyhow::bail!("{option} names the host of a registry; folders need --shared-path")
        }
    };
    registries.iter().map(address).collect()
}
