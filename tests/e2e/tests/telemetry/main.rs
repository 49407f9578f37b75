//! What processes tell of themselves: traces and metrics at a collector, metrics at `--listen`, ids of traces in the log.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod export;
mod prometheus;
mod scraped;
mod traces;

use std::net::TcpListener;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
