//! Bodies on the way in and out: counted for the log, and cut or held at the
//! byte that a fault names.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;

use super::answer::Refusal;
use super::faults::Gate;
use super::log::{EntryId, RequestLog};

/// Gates of one body and how far it has come.
struct Passage {
    gates: VecDeque<(u64, Gate)>,
    passed: u64,
}

enum Step {
    Pass(Bytes),
    Meet(Gate),
}

impl Passage {
    fn new(gates: Vec<(u64, Gate)>) -> Self {
        Self {
            gates: gates.into(),
            passed: 0,
        }
    }

    /// What comes first of `chunk`, its bytes up to the next gate or that gate.
    fn step(&mut self, chunk: &mut Bytes) -> Step {
        let open = match self.gates.front() {
            Some((at, _)) => at.saturating_sub(self.passed),
            None => u64::MAX,
        };
        match (open, self.gates.pop_front_if(|_| open == 0)) {
            (_, Some((_, gate))) => Step::Meet(gate),
            (open, None) => {
                let open = usize::try_from(open).unwrap_or(usize::MAX);
                let part = chunk.split_to(chunk.len().min(open));
                self.passed += part.len() as u64;
                Step::Pass(part)
            }
        }
    }

    fn at_end(&self) -> bool {
        self.gates.is_empty()
    }

    /// The next gate beyond the end of the body: it ends there, so it is met.
    fn rest(&mut self) -> Option<Gate> {
        self.gates.pop_front().map(|(_, gate)| gate)
    }
}

/// A request's body.
pub(super) struct RequestBody<'a> {
    body: hyper::body::Incoming,
    chunk: Bytes,
    passage: Passage,
    log: &'a RequestLog,
    id: EntryId,
}

impl<'a> RequestBody<'a> {
    pub(super) fn new(
        body: hyper::body::Incoming,
        gates: Vec<(u64, Gate)>,
        log: &'a RequestLog,
        id: EntryId,
    ) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            passage: Passage::new(gates),
            log,
            id,
        }
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if self.chunk.is_empty() {
                match self.body.frame().await {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) if !data.is_empty() => self.chunk = data,
                        _ => {}
                    },
                    Some(Err(_)) => return Err(Refusal::Cut),
                    None if self.passage.at_end() => return Ok(None),
                    None => pass(self.passage.rest()).await?,
                }
                continue;
            }
            match self.passage.step(&mut self.chunk) {
                Step::Meet(gate) => pass(Some(gate)).await?,
                Step::Pass(part) => {
                    self.log.received(self.id, part.len() as u64);
                    return Ok(Some(part));
                }
            }
        }
    }

    /// The whole body, or `None` if it is longer than `limit` bytes.
    pub(super) async fn read(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let mut bytes = Vec::new();
        while let Some(part) = self.next().await? {
            if bytes.len() + part.len() > limit {
                return Ok(None);
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Some(bytes))
    }

    /// Reads what nobody wanted, so that the client gets to read the answer.
    pub(super) async fn drain(&mut self) -> Result<(), Refusal> {
        while self.next().await?.is_some() {}
        Ok(())
    }
}

async fn pass(gate: Option<Gate>) -> Result<(), Refusal> {
    match gate {
        Some(Gate::Cut) => Err(Refusal::Cut),
        Some(Gate::Hold(hold)) => {
            hold.wait().await;
            Ok(())
        }
        None => Ok(()),
    }
}

/// A response's body with its gates, counted as it leaves.
pub(super) fn outgoing(
    body: Body,
    gates: Vec<(u64, Gate)>,
    log: Arc<RequestLog>,
    id: EntryId,
) -> Body {
    let passage = Passage::new(gates);
    let chunks = body.into_data_stream();
    let start = (chunks, Bytes::new(), passage, log);
    let stream = futures::stream::try_unfold(start, move |state| emit(state, id));
    Body::from_stream(stream)
}

type Outgoing = (BodyDataStream, Bytes, Passage, Arc<RequestLog>);

async fn emit(state: Outgoing, id: EntryId) -> io::Result<Option<(Bytes, Outgoing)>> {
    let (mut chunks, mut chunk, mut passage, log) = state;
    loop {
        if chunk.is_empty() {
            match (chunks.next().await, passage.at_end()) {
                (Some(next), _) => chunk = next.map_err(io::Error::other)?,
                (None, false) => leave(passage.rest()).await?,
                (None, true) => return Ok(None),
            }
            continue;
        }
        match passage.step(&mut chunk) {
            Step::Meet(gate) => leave(Some(gate)).await?,
            Step::Pass(part) => {
                log.sent(id, part.len() as u64);
                return Ok(Some((part, (chunks, chunk, passage, log))));
            }
        }
    }
}

async fn leave(gate: Option<Gate>) -> io::Result<()> {
    // What was passed before must leave the server's buffer first.
    tokio::task::yield_now().await;
    match pass(gate).await {
        Ok(()) => Ok(()),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "cut by the script",
        )),
    }
}
