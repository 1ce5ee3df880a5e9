//! One request for a stream and the reading of its answer.

use std::future::{pending, poll_fn};
use std::time::{Duration, Instant};

use eventsource_client::{BoxStream, Client as _, ClientBuilder, Error, ReconnectOptions, SSE};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::ended::{Ended, ended_by};
use super::notes::Notes;
use super::reader::{Piece, Reader};
use super::target::Target;
use super::{FeedError, Update};
use crate::client::ClientError;
use crate::client::retry::Backoff;
use crate::client::sse_repair::bypass::Runs;
use crate::client::transport::{NoStream, Transport};

/// Time without an answer after which a note says that the server is slow.
const NO_ANSWER: Duration = Duration::from_secs(5);

/// Requests for a stream, each of which continues where the last reading ended.
pub(super) struct Connection {
    pub(super) target: Target,
    transport: Transport,
    runs: Runs,
    notes: Notes,
}

impl Connection {
    pub(super) fn new(target: Target) -> Self {
        let runs = Runs::default();
        Self {
            transport: target.transport(runs.clone()),
            runs,
            notes: Notes::new(&target),
            target,
        }
    }

    /// Returns the note on how a connection ended, if there is one.
    pub(super) fn note_on(&mut self, ended: &Ended) -> Option<Update> {
        let is_gone = matches!(ended, Ended::NoAnswer(lost) if !lost.is_connected());
        let note = is_gone.then(|| self.notes.of_gone()).flatten();
        note.map(|it| Update::Note(it.into()))
    }

    /// Returns the shortest wait that the stream has asked for.
    pub(super) fn floor(&self) -> Option<Duration> {
        self.transport.memory.recall().retry
    }

    /// Connects once and reads to the connection's end; returns `None` if a reconnect is requested.
    pub(super) async fn read(
        &mut self,
        backoff: &mut Backoff,
        out: &mpsc::Sender<Vec<Piece>>,
    ) -> Option<Ended> {
        let cursor = self.transport.memory.recall().last_id;
        let cursor_bytes = cursor.len();
        let place = self.target.place();
        self.transport.request = self.target.request(&cursor);
        let stream = match open(&self.transport) {
            Ok(stream) => stream,
            Err(error) => return Some(ended_by(&error, &place)),
        };
        let may_repeat = self.target.may_repeat();
        let reconnect = self.target.reconnect().clone();
        let mut reader = Reader::new(
            stream,
            &self.runs,
            &self.transport.memory,
            &mut self.notes,
            backoff,
            cursor,
        );
        let begun = Instant::now();
        loop {
            let is_unanswered = reader.connected.is_none() && reader.notes.awaits_answer();
            let silent = reader.silent();
            let silent_at = silent.map(|it| reader.last_read + it);
            let end = tokio::select! {
                // First: the connection may be given up only if nothing is left to read, and what was read is passed
                // on, because the next one continues after it.
                biased;
                error = poll_fn(|cx| reader.poll_batch(cx)) => error.map(|it| reader.ended(&it, &place)),
                () = reconnect.requested(), if may_repeat => {
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
                () = until(silent_at) => silent.map(|it| reader.cut(NoStream::Silent(it).to_string())),
            };
            if reader.connected.is_some() {
                self.target.note_answer();
            }
            let batch = reader.take_batch();
            if !batch.is_empty() && out.send(batch).await.is_err() || reader.is_over {
                return Some(Ended::Over);
            }
            let Some(ended) = end else { continue };
            if matches!(ended, Ended::Over) {
                let _ = out.send(vec![Piece::Item(Ok(Update::Gone))]).await;
            }
            return Some(explained(ended, cursor_bytes));
        }
    }
}

/// Adds the reason if a server refuses a request because its head is too long.
fn explained(ended: Ended, cursor_bytes: usize) -> Ended {
    const TOO_LARGE: u16 = 431;
    let is_too_large = |error: &FeedError| match error {
        FeedError::Client(error) => error.status() == Some(TOO_LARGE),
        _ => false,
    };
    match ended {
        Ended::Failed(error) if cursor_bytes > 0 && is_too_large(&error) => {
            let error = ClientError::Refused {
                status: TOO_LARGE,
                detail: format!(
                    "the event ID has {cursor_bytes} bytes, more than this server takes"
                ),
                is_problem: false,
            };
            Ended::Failed(error.into())
        }
        ended => ended,
    }
}

/// Sends a request for a stream once.
pub(in crate::client) fn open(
    transport: &Transport,
) -> Result<BoxStream<Result<SSE, Error>>, Error> {
    let once = ReconnectOptions::reconnect(false).retry_initial(false);
    // The transport replaces this URL by its own request.
    let client = ClientBuilder::for_url("http://localhost/")?
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
