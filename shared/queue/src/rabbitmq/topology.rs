//! The queues at the broker. Whoever comes first declares them; for the rest the same declaration is the check
//! that they are what we need. No exchange of ours: the default one knows every queue by its name.
//!
//! All are quorum queues (RabbitMQ 3.10 and later). Changing an argument makes new queues necessary: it
//! comes with a new version of the messages, which is part of the names.

use std::time::Duration;

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::fault::Fault;
use super::names::Names;

/// How often the broker delivers a message at most. A backstop: brokers count differently (3.10 counts each return,
/// a worker that dies returns all it prefetched), so that our own count of attempts decides long before.
const DELIVERY_LIMIT: i32 = 1000;

/// Messages that the dead-letter queue keeps; the oldest go first. The ledger is the record of failures.
const DEAD_KEPT: i32 = 10_000;

/// Declares the queues of `names`, or checks them.
pub(super) async fn declare(channel: &Channel, names: &Names) -> Result<(), Fault> {
    for (queue, arguments) in queues(names) {
        let options = QueueDeclareOptions::durable();
        let declared = channel.queue_declare(short(&queue), options, arguments);
        declared
            .await
            .map_err(|error| Fault::of_declaration(queue, &error))?;
    }
    Ok(())
}

/// Each queue with its arguments, those first into which others dead-letter.
fn queues(names: &Names) -> Vec<(String, FieldTable)> {
    let mut queues = vec![
        (
            names.dead(),
            table([
                ("x-max-length", DEAD_KEPT.into()),
                // Looking at a letter without acknowledging it is a delivery, too.
                ("x-delivery-limit", DELIVERY_LIMIT.into()),
            ]),
        ),
        (
            names.main().to_owned(),
            table([
                ("x-delivery-limit", DELIVERY_LIMIT.into()),
                ("x-dead-letter-exchange", text("")),
                ("x-dead-letter-routing-key", text(&names.dead())),
                ("x-dead-letter-strategy", text("at-least-once")),
                ("x-overflow", text("reject-publish")),
            ]),
        ),
    ];
    queues.extend(names.delays().map(|(level, queue)| {
        let arguments = table([
            ("x-message-ttl", millis(level).into()),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(names.main())),
            // Else a task is lost if the broker dies while it moves; needs the overflow behaviour beside it.
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]);
        (queue, arguments)
    }));
    queues
}

fn table<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(short("x-queue-type"), text("quorum"));
    for (name, value) in arguments {
        table.insert(short(name), value);
    }
    table
}

fn millis(level: Duration) -> i32 {
    i32::try_from(level.as_millis()).expect("the levels are minutes")
}

/// A name as the protocol wants it: our names are far below its 255 bytes.
pub(super) fn short(name: &str) -> ShortString {
    ShortString::from(name)
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn queues_come_after_those_they_dead_letter_into() {
        let names = Names::consumed("x").remove(0);
        let queues = queues(&names);
        let place = |name: &str| queues.iter().position(|(queue, _)| queue == name).unwrap();
        for (queue, arguments) in &queues {
            let Some(AMQPValue::LongString(to)) =
                arguments.inner().get("x-dead-letter-routing-key")
            else {
                continue;
            };
            assert!(place(&to.to_string()) < place(queue), "{queue}");
        }
        assert_eq!(queues.len(), 6);
    }
}
