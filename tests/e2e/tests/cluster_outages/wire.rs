//! The broker, seen by a client that is not ours.

use futures::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

pub(crate) struct Wire {
    connection: Connection,
    channel: Channel,
}

impl Wire {
    pub(crate) async fn to(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default());
        let connection = connection.await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self {
            connection,
            channel,
        }
    }

    /// Takes all that can be delivered out of a queue.
    pub(crate) async fn take_all(&self, queue: &str) -> Vec<Delivery> {
        let mut taken = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = self.channel.basic_get(queue.into(), options).await.unwrap() {
            taken.push(message.delivery);
        }
        taken
    }

    pub(crate) async fn put(&self, queue: &str, body: &[u8]) {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = self
            .channel
            .basic_publish("".into(), queue.into(), options, body, properties);
        sent.await.unwrap();
    }

    /// Takes a message and keeps it until the broker has had enough of that.
    pub(crate) async fn keep_too_long(&self) {
        let channel = self.connection.create_channel().await.unwrap();
        let queue = channel.queue_declare(
            "kept-too-long".into(),
            QueueDeclareOptions::durable(),
            FieldTable::default(),
        );
        queue.await.unwrap();
        self.put("kept-too-long", b"x").await;
        let consumer = channel.basic_consume(
            "kept-too-long".into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut consumer = consumer.await.unwrap();
        consumer.next().await.unwrap().unwrap();
        while let Some(Ok(_)) = consumer.next().await {}
    }
}
