//! The queue over RabbitMQ (3.10 or later), for workers on many machines.
//!
//! - A task was published when the broker confirmed it and a queue took it; many publish at once over one channel.
//! - It is delivered at least once: a lost confirm or acknowledgement makes it come twice.
//! - The broker may restart, be out of reach or lose its data: connections and queues come back by themselves.
//!   Receiving waits as long as it takes, publishing as long as [`Options::patience`], settling not at all: an
//!   acknowledgement over a connection that died is [`QueueError::Lost`], and its task is delivered again.
//! - What is no task of ours goes to the dead-letter queue with the reason, once, and blocks nobody.
//!
//! Two connections, because a broker short of memory stops reading from those that publish (`session.rs`), each
//! rebuilt for as long as the queue lives (`link.rs`). The queues are in `topology.rs`, their names in `names.rs`.

mod consume;
mod dead;
mod fault;
mod headers;
mod held;
mod inbox;
mod link;
mod names;
mod options;
mod pauses;
mod publisher;
mod session;
mod shared;
mod topology;
mod voice;

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mirror_runtime::telemetry::TraceContext;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use self::dead::{DeadLetter, DeadLetters};
pub use self::options::{Address, Options};

use self::held::Held;
use self::inbox::Inbox;
use self::link::Link;
use self::names::Names;
use self::pauses::after;
use self::publisher::Publisher;
use self::session::{Role, Settings};
use self::shared::Shared;
use self::voice::Voice;
use crate::error::QueueError;
use crate::queue::{Delivery, Depth, TaskQueue};
use crate::task::Task;

/// How long the broker may take to answer when it is only asked whether it is there.
const PING: Duration = Duration::from_secs(5);

/// A pump at work.
struct Pumping {
    task: JoinHandle<()>,
    /// Ends it in good order.
    enough: CancellationToken,
}

/// A queue of tasks at a broker.
pub struct RabbitQueue {
    shared: Arc<Shared>,
    /// Started by who receives: who only publishes takes no task away from workers.
    pump: Mutex<Option<Pumping>>,
}

impl RabbitQueue {
    /// Connects, and declares the queues or checks that they are what we need.
    ///
    /// # Errors
    /// At once when a setting is wrong, the broker does not want us, or a queue was declared otherwise; after
    /// [`Options::connect_patience`] when it cannot be reached.
    pub async fn connect(options: Options) -> Result<Self, QueueError> {
        names::check(&options.name)?;
        let ca = match &options.ca_file {
            Some(file) => Some(certificates(file).await?),
            None => None,
        };
        let broker = options.address.to_string();
        let names = Names::consumed(&options.name);
        let (unconfirmed, patience) = (options.unconfirmed.get(), options.patience);
        let connect_patience = options.connect_patience;
        let settings = Arc::new(Settings { options, ca, names });
        let stop = CancellationToken::new();
        let voice = Arc::new(Voice::new(broker.clone()));
        let link = |role| {
            let (settings, voice) = (Arc::clone(&settings), Arc::clone(&voice));
            Link::start(settings, role, voice, stop.clone())
        };
        let (publish, control) = (link(Role::Publish), link(Role::Consume));
        let shared = Shared {
            publisher: Publisher::new(publish, broker, unconfirmed, patience),
            control,
            settings,
            inbox: Inbox::default(),
            handed_out: AtomicU64::new(0),
            closed: CancellationToken::new(),
            _connections: stop.drop_guard(),
        };
        come_together(&shared, connect_patience).await?;
        Ok(Self {
            shared: Arc::new(shared),
            pump: Mutex::default(),
        })
    }

    /// Whether the broker is there as far as we know.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let Shared {
            publisher, control, ..
        } = &*self.shared;
        publisher.link.now().is_some() && control.now().is_some()
    }

    /// Asks the broker whether it is there.
    ///
    /// # Errors
    /// When it does not answer within seconds.
    pub async fn ping(&self) -> Result<(), QueueError> {
        let silent = |cause: String| QueueError::Unavailable {
            broker: self.shared.broker(),
            what: "answer",
            patience: PING,
            cause,
        };
        let link = &self.shared.control;
        let Some(session) = link.now() else {
            return Err(silent(link.cause()));
        };
        match timeout(PING, session.aside()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(silent(error.to_string())),
            Err(_) => Err(silent("no answer".to_owned())),
        }
    }

    /// What nobody could work on.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn dead_letters(&self) -> Result<DeadLetters, QueueError> {
        DeadLetters::open(Arc::clone(&self.shared)).await
    }

    fn start_pump(&self) {
        let mut pump = self.lock_pump();
        if pump.is_none() && !self.shared.closed.is_cancelled() {
            let enough = self.shared.closed.child_token();
            let task = consume::pump(Arc::clone(&self.shared), enough.clone());
            *pump = Some(Pumping {
                task: tokio::spawn(task),
                enough,
            });
        }
    }

    /// Has the pump return what it brought, if there is one.
    async fn stop_pump(&self) {
        let pump = self.lock_pump().take();
        if let Some(Pumping { task, enough }) = pump {
            enough.cancel();
            // It ends within seconds, and never by a panic of ours.
            let _ = task.await;
        }
    }

    fn lock_pump(&self) -> std::sync::MutexGuard<'_, Option<Pumping>> {
        self.pump.lock().expect("no panic while the lock is held")
    }
}

#[async_trait]
impl TaskQueue for RabbitQueue {
    fn system(&self) -> &'static str {
        "rabbitmq"
    }

    async fn publish(&self, task: Task) -> Result<(), QueueError> {
        let (queue, trace) = (self.shared.written().main(), TraceContext::current());
        let sent = self.shared.send(queue, &task, &trace);
        let sent = self.shared.until_closed(sent).await;
        sent.unwrap_or(Err(QueueError::Closed))
    }

    async fn receive(&self) -> Result<Delivery, QueueError> {
        self.start_pump();
        let Shared { inbox, closed, .. } = &*self.shared;
        loop {
            let news = inbox.news.notified();
            tokio::pin!(news);
            // Listens from here on: what arrives after the look below still wakes us.
            news.as_mut().enable();
            if closed.is_cancelled() {
                return Err(QueueError::Closed);
            }
            if let Some(arrived) = inbox.take() {
                return Ok(Held::hand_out(Arc::clone(&self.shared), arrived));
            }
            if self.shared.until_closed(news).await.is_none() {
                return Err(QueueError::Closed);
            }
        }
    }

    async fn let_go(&self) {
        self.stop_pump().await;
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        self.shared.depth().await
    }

    async fn close(&self) {
        self.shared.closed.cancel();
        self.stop_pump().await;
    }
}

impl Drop for RabbitQueue {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

impl fmt::Debug for RabbitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitQueue")
            .field("broker", &self.shared.settings.options.address)
            .finish_non_exhaustive()
    }
}

/// Waits for both connections, or for what makes waiting useless.
async fn come_together(shared: &Shared, patience: Duration) -> Result<(), QueueError> {
    let broker = shared.broker();
    let links = [&shared.publisher.link, &shared.control];
    let end = after(Instant::now(), patience);
    for link in links {
        tokio::select! {
            biased;
            _ = link.up() => {}
            error = link.hopeless(&broker) => return Err(error),
            () = tokio::time::sleep_until(end) => {
                let cause = link.cause();
                let what = "let us in";
                return Err(QueueError::Unavailable { broker, what, patience, cause });
            }
        }
    }
    Ok(())
}

async fn certificates(file: &Path) -> Result<String, QueueError> {
    let refused = |why: String| QueueError::Setting {
        setting: "the certificate authority",
        why: format!("{}: {why}", file.display()),
    };
    let pem = tokio::fs::read_to_string(file).await;
    let pem = pem.map_err(|error| refused(error.to_string()))?;
    if pem.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(pem);
    }
    Err(refused("has no certificate (PEM)".to_owned()))
}
