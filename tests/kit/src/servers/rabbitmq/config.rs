//! What a private broker is configured with, as files in its own folder.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::tls::TestCa;

/// The ports of one broker, all on this machine's own address.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    /// AMQP.
    pub(super) amqp: SocketAddr,
    /// AMQP over TLS.
    pub(super) amqps: SocketAddr,
    /// Between Erlang nodes, of which there is one.
    pub(super) distribution: SocketAddr,
    /// Where Erlang nodes look each other up.
    pub(super) names: SocketAddr,
}

/// Writes the files; `tls`: also listen for `amqps`.
pub(super) fn write(
    folder: &Path,
    ports: &Ports,
    consumer_timeout: Option<Duration>,
    tls: Option<&TestCa>,
) -> Result<()> {
    let mut lines = vec![
        format!("listeners.tcp.1 = {}", ports.amqp),
        // A test's broker must not stop because the disk is nearly full; alarms are raised on purpose.
        "disk_free_limit.absolute = 1MB".to_owned(),
        "raft.wal_max_size_bytes = 16000000".to_owned(),
        "log.file = false".to_owned(),
        "log.console = true".to_owned(),
        "log.console.level = info".to_owned(),
    ];
    if let Some(timeout) = consumer_timeout {
        lines.push(format!("consumer_timeout = {}", timeout.as_millis()));
    }
    if let Some(ca) = tls {
        let made = ca.issue();
        for (name, pem) in [
            ("ca.pem", ca.pem()),
            ("certificate.pem", &made.certificate),
            ("key.pem", &made.key),
        ] {
            std::fs::write(folder.join(name), pem)?;
        }
        lines.extend([
            format!("listeners.ssl.1 = {}", ports.amqps),
            format!(
                "ssl_options.cacertfile = {}",
                folder.join("ca.pem").display()
            ),
            format!(
                "ssl_options.certfile = {}",
                folder.join("certificate.pem").display()
            ),
            format!("ssl_options.keyfile = {}", folder.join("key.pem").display()),
            "ssl_options.verify = verify_none".to_owned(),
        ]);
    }
    lines.push(String::new());
    std::fs::write(folder.join("rabbitmq.conf"), lines.join("\n"))?;
    // How often channels look whether an acknowledgement is overdue: a minute would be too long for a test.
    std::fs::write(
        folder.join("advanced.config"),
        "[{rabbit, [{channel_tick_interval, 500}]}].\n",
    )?;
    std::fs::write(folder.join("enabled_plugins"), "[].\n")?;
    for own in ["home", "logs", "data"] {
        std::fs::create_dir_all(folder.join(own))?;
    }
    Ok(())
}
