//! The pump: takes deliveries off the wire and puts tasks into the inbox, over one connection after the other.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, SelectAll};
use futures::{Stream, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::dead;
use super::headers;
use super::inbox::{Arrived, Unsettled};
use super::session::Session;
use super::shared::Shared;
use super::topology::short;
use crate::task::Task;

/// How long leaving in good order may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// How often a broker that was down for a moment is asked to look for deliveries that nobody takes.
const SWEEP: Duration = Duration::from_secs(60);

/// The deliveries of all consumers, `None` when one of them ended.
type Incoming = SelectAll<futures::stream::BoxStream<'static, Option<lapin::Result<Delivery>>>>;

/// Consumes until it is `enough`; then gives back what nobody took.
pub(super) async fn pump(shared: Arc<Shared>, enough: CancellationToken) {
    while let Some(session) = enough.run_until_cancelled(shared.control.up()).await {
        let consuming = consumers(&shared, &session);
        let cause = match enough.run_until_cancelled(consuming).await {
            None => {
                // Its end returns what the broker may have sent.
                session.fail("no more was wanted before the broker answered");
                break;
            }
            Some(Err(cause)) => cause,
            Some(Ok((tags, mut incoming))) => {
                match enough
                    .run_until_cancelled(fill(&shared, &mut incoming))
                    .await
                {
                    Some(cause) => cause,
                    None => {
                        let leaving = leave(&session, tags, incoming);
                        if tokio::time::timeout(GOODBYE, leaving).await.is_err() {
                            // Its end does the same.
                            session.fail("the broker did not let go of its consumers");
                        }
                        break;
                    }
                }
            }
        };
        session.fail(cause);
        shared.inbox.clear();
    }
    shared.inbox.clear();
}

/// Puts tasks into the inbox for as long as deliveries come; resolves with the reason of the end.
async fn fill(shared: &Shared, incoming: &mut Incoming) -> String {
    let too_long = shared.settings.options.hand_over_after;
    let mut sweep = tokio::time::interval(SWEEP.min(too_long / 2).max(Duration::from_millis(10)));
    loop {
        let delivery = tokio::select! {
            delivery = incoming.next() => delivery,
            _ = sweep.tick() => {
                shared.inbox.give_back_older_than(too_long);
                continue;
            }
        };
        match delivery {
            Some(Some(Ok(delivery))) => arrive(shared, delivery).await,
            Some(Some(Err(error))) => return error.to_string(),
            // The broker ends a consumer whose queue was deleted.
            Some(None) | None => return "the queue is gone".to_owned(),
        }
    }
}

async fn arrive(shared: &Shared, delivery: Delivery) {
    let mut unsettled = Unsettled::new(delivery.acker);
    match Task::decode(&delivery.data) {
        Ok(task) => shared.inbox.put(Arrived {
            task,
            redelivered: delivery.redelivered || came_before(delivery.properties.headers()),
            trace: headers::trace(delivery.properties.headers()),
            at: Instant::now(),
            unsettled,
        }),
        Err(error) => {
            tracing::error!(%error, "a message that is no task of ours is put aside");
            let body = &delivery.data;
            match dead::bury(shared, delivery.routing_key.as_str(), body, &error).await {
                // If that is not heard, the message comes again, and is buried again.
                Ok(()) => _ = unsettled.ack().await,
                Err(error) => tracing::warn!(%error, "it could not be put aside, and comes back"),
            }
        }
    }
}

/// Whether the broker counts earlier deliveries of a message; a quorum queue does.
fn came_before(headers: &Option<FieldTable>) -> bool {
    let count = headers
        .as_ref()
        .and_then(|headers| headers.inner().get("x-delivery-count"));
    match count {
        Some(AMQPValue::LongLongInt(count)) => *count > 0,
        Some(AMQPValue::LongInt(count)) => *count > 0,
        Some(AMQPValue::ShortShortInt(count)) => *count > 0,
        Some(AMQPValue::ShortInt(count)) => *count > 0,
        _ => false,
    }
}

async fn consumers(
    shared: &Shared,
    session: &Session,
) -> Result<(Vec<ShortString>, Incoming), String> {
    let mut incoming = SelectAll::new();
    let mut tags = Vec::new();
    for names in &shared.settings.names {
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let queue = short(names.main());
        let consumer = session
            .channel
            .basic_consume(queue, short(""), options, arguments);
        let consumer = session.answered(consumer).await?;
        tags.push(consumer.tag());
        incoming.push(with_end(consumer).boxed());
    }
    Ok((tags, incoming))
}

/// Tells of the end of one stream among several.
fn with_end<T>(stream: impl Stream<Item = T>) -> impl Stream<Item = Option<T>> {
    stream.map(Some).chain(stream::iter([None]))
}

/// Asks for no more, and returns what was on its way.
async fn leave(session: &Session, tags: Vec<ShortString>, mut incoming: Incoming) {
    for tag in tags {
        let options = BasicCancelOptions::default();
        if session.channel.basic_cancel(tag, options).await.is_err() {
            return;
        }
    }
    while let Some(delivery) = incoming.next().await {
        if let Some(Ok(delivery)) = delivery {
            drop(Unsettled::new(delivery.acker));
        }
    }
}
