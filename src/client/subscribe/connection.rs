//! One request for a stream and the reading of its answer.

use std::future::{pending, poll_fn};
use std::time::{Duration, Instant};

use eventsource_client::{BoxStream, Client as _, ClientBuilder, Error, ReconnectOptions, SSE};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::ended::{Ended, ended_by};
use super::notes::Notes;
use super::reader::{Piece, Reader};
use super::{Reconnect, SubscribeOptions, Update};
use crate::client::retry::Backoff;
use crate::client::sse_repair::bypass::Runs;
use crate::client::transport::{Memory, NoStream, Transport};
use crate::client::{Client, HEARTBEAT};
use crate::event::{ClientId, Format};
use crate::wire::{self, Route};

/// A server that has not answered for so long is said to be slow.
const NO_ANSWER: Duration = Duration::from_secs(5);
/// So many heartbeats are missed, in halves, before a connection is taken for dead.
const HALF_HEARTBEATS: u32 = 5;

/// Asks for a stream, each time from where the last reading ended.
pub(super) struct Connection {
    client: Client,
    id: ClientId,
    format: Format,
    tail: Option<u64>,
    transport: Transport,
    runs: Runs,
    notes: Notes,
}

impl Connection {
    pub(super) fn new(client: &Client, id: ClientId, options: &SubscribeOptions) -> Self {
        let (cursor, runs) = (options.last_event_id.clone(), Runs::default());
        Self {
            client: client.clone(),
            id,
            format: options.format,
            tail: options.tail,
            transport: transport(client, cursor.unwrap_or_default(), Some(runs.clone())),
            runs,
            notes: Notes::new(options),
        }
    }

    /// What is to be noted of how a connection ended.
    pub(super) fn note_on(&mut self, ended: &Ended) -> Option<Update> {
        let is_gone = matches!(ended, Ended::NoAnswer(lost) if !lost.is_connected());
        let note = is_gone.then(|| self.notes.of_gone()).flatten();
        note.map(Update::Note)
    }

    /// The least time to wait that the stream has asked for.
    pub(super) fn floor(&self) -> Option<Duration> {
        self.transport.memory.recall().retry
    }

    /// Connects once and reads to the connection's end; `None` where it is to be made anew.
    pub(super) async fn read(
        &mut self,
        backoff: &mut Backoff,
        out: &mpsc::Sender<Vec<Piece>>,
        reconnect: &Reconnect,
    ) -> Option<Ended> {
        let cursor = self.transport.memory.recall().last_id;
        let url = self.url(&cursor);
        let stream = match open(&self.transport, self.id, &url) {
            Ok(stream) => stream,
            Err(error) => return Some(ended_by(&error, &url)),
        };
        let (runs, notes) = (&self.runs, &mut self.notes);
        let mut reader = Reader::new(stream, runs, notes, backoff, cursor);
        let begun = Instant::now();
        loop {
            let is_unanswered = reader.connected.is_none() && reader.notes.awaits_answer();
            let silent = reader.silent();
            let silent_at = silent.map(|it| reader.last_read + it);
            let end = tokio::select! {
                // First: only where nothing is left to be read may the connection be given up, and what
                // was read is handed on, for the next one goes on after what came on this one.
                biased;
                error = poll_fn(|cx| reader.poll_batch(cx)) => error.map(|it| reader.ended(&it, &url)),
                () = reconnect.asked() => {
                    let batch = reader.take_batch();
                    if !batch.is_empty() && out.send(batch).await.is_err() {
                        return Some(Ended::Over);
                    }
                    return None;
                }
                () = until(is_unanswered.then(|| begun + NO_ANSWER)) => {
                    let note = reader.notes.of_no_answer();
                    reader.note(note);
                    None
                }
                () = until(silent_at) => silent.map(|it| Ended::lost(NoStream::Silent(it).to_string())),
            };
            let batch = reader.take_batch();
            if !batch.is_empty() && out.send(batch).await.is_err() || reader.is_over {
                return Some(Ended::Over);
            }
            let Some(ended) = end else { continue };
            if matches!(ended, Ended::Over) {
                let _ = out.send(vec![Piece::Item(Ok(Update::Gone))]).await;
            }
            return Some(ended);
        }
    }

    fn url(&self, cursor: &str) -> String {
        let mut query = Vec::new();
        if self.format == Format::Json {
            query.push(format!("format={}", self.format.as_str()));
        }
        if let Some(tail) = self.tail.filter(|_| cursor.is_empty()) {
            query.push(format!("tail={tail}"));
        }
        let mut path = Route::Client.path_for(self.id);
        if !query.is_empty() {
            path.push('?');
            path.push_str(&query.join("&"));
        }
        self.client.server().join(&path).into()
    }
}

/// What the requests for one stream go through, the first of them with this cursor. With `runs`, plain
/// events are left out of the stream and wait there.
pub(in crate::client) fn transport(
    client: &Client,
    last_event_id: String,
    runs: Option<Runs>,
) -> Transport {
    Transport {
        http: client.http.clone(),
        authorization: client.authorization.clone(),
        memory: Memory::new(last_event_id),
        runs,
        may_be_local: client.server.is_loopback(),
        patience: client.heartbeat.unwrap_or(HEARTBEAT) * HALF_HEARTBEATS / 2,
        watches_foreign: client.heartbeat.is_some(),
    }
}

/// Asks for a stream, once.
pub(in crate::client) fn open(
    transport: &Transport,
    id: ClientId,
    url: &str,
) -> Result<BoxStream<Result<SSE, Error>>, Error> {
    let once = ReconnectOptions::reconnect(false).retry_initial(false);
    let client = ClientBuilder::for_url(url)?
        .header(wire::CLIENT_ID_HEADER, &id.to_string())?
        .redirect_limit(0)
        .reconnect(once.build())
        .build_with_transport(transport.clone());
    Ok(client.stream())
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => pending().await,
    }
}
