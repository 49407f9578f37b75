//! The queues of one cluster, seen by a client that is not ours.

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, ConnectionProperties};

/// The pauses for which a task may be put aside, as their queues are called.
const DELAYS: [&str; 4] = ["delay-1s", "delay-5s", "delay-30s", "delay-300s"];

/// What the queues of a cluster hold that nobody works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depths {
    /// Tasks that could be delivered.
    pub ready: u32,
    /// Tasks that wait for their time.
    pub delayed: u32,
    /// What nobody can work on.
    pub dead: u32,
}

/// A connection to the broker, for one look at the queues of a name.
pub(super) struct Queues {
    connection: Connection,
    name: String,
}

impl Queues {
    /// # Errors
    /// If the broker does not answer.
    pub(super) async fn at(url: &str, name: &str) -> lapin::Result<Self> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        Ok(Self {
            connection,
            name: format!("{name}.v1"),
        })
    }

    /// # Errors
    /// If the broker does not answer.
    pub(super) async fn depths(&self) -> lapin::Result<Depths> {
        let mut depths = Depths {
            ready: self.depth(&self.name).await?,
            delayed: 0,
            dead: self.depth(&format!("{}.dead", self.name)).await?,
        };
        for delay in DELAYS {
            depths.delayed += self.depth(&format!("{}.{delay}", self.name)).await?;
        }
        Ok(depths)
    }

    /// Messages that could be delivered; none where there is no such queue.
    async fn depth(&self, queue: &str) -> lapin::Result<u32> {
        // A queue that is not there costs the channel.
        let channel = self.connection.create_channel().await?;
        let passive = QueueDeclareOptions::durable().passive();
        match channel
            .queue_declare(queue.into(), passive, FieldTable::default())
            .await
        {
            Ok(queue) => {
                channel.close(200, "".into()).await?;
                Ok(queue.message_count())
            }
            Err(error) if error.to_string().contains("NOT_FOUND") => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Puts each task that is ready into the queue once more. How many there were.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub(super) async fn double(&self) -> lapin::Result<usize> {
        let channel = self.connection.create_channel().await?;
        let mut messages = Vec::new();
        let queue = || ShortString::from(self.name.as_str());
        while let Some(message) = channel
            .basic_get(queue(), BasicGetOptions::default())
            .await?
        {
            messages.push(message.delivery);
        }
        for message in &messages {
            for _ in 0..2 {
                self.publish(&channel, message).await?;
            }
            message.acker.ack(BasicAckOptions::default()).await?;
        }
        // Answered when all of the above is done.
        channel.close(200, "".into()).await?;
        Ok(messages.len())
    }

    async fn publish(
        &self,
        channel: &Channel,
        message: &lapin::message::Delivery,
    ) -> lapin::Result<()> {
        let to = ShortString::from(self.name.as_str());
        let (options, properties) = (BasicPublishOptions::default(), message.properties.clone());
        let sent = channel.basic_publish("".into(), to, options, &message.data, properties);
        sent.await?.await?;
        Ok(())
    }
}
