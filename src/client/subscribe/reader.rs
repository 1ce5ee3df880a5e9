//! Reads one connection in batches.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use eventsource_client::{BoxStream, Error, Response, SSE};
use futures_util::StreamExt;

use super::beats::Beats;
use super::ended::{Ended, ended_by, no_stream};
use super::notes::{Close, Notes, written};
use super::translate::Sender;
use super::{Item, Update};
use crate::client::lost::Cause;
use crate::client::retry::Backoff;
use crate::client::sse_repair::bypass::{Event, MARK, Run, Runs};
use crate::client::transport::{Memory, NoStream, cursor};
use crate::event::{UnixMillis, unix_millis};
use crate::wire::{self, sse};

/// Upper bounds of one batch: pieces, and bytes.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
/// Age below which a stream that ends properly may be complete.
const QUICK_END: Duration = Duration::from_secs(10);
/// The data by which streams of language models mark their end.
const DONE: &str = "[DONE]";
/// Upper bound of the comments read before yielding: a stream of nothing else never waits.
const COMMENTS: usize = 1024;

/// A part of a stream, in its order.
#[derive(Debug)]
pub(super) enum Piece {
    /// A new connection, to which the following parts belong.
    Connected {
        sender: Sender,
        is_resuming: bool,
    },
    Plain(Run),
    Event(Event<'static>),
    /// An event of a server that is not codechat's, and when its last byte arrived.
    Foreign {
        event: Event<'static>,
        at: UnixMillis,
    },
    /// Not from the stream.
    Item(Item),
}

/// Gathers what is ready into batches.
pub(super) struct Reader<'a> {
    stream: BoxStream<Result<SSE, Error>>,
    runs: &'a Runs,
    memory: &'a Memory,
    pub(super) notes: &'a mut Notes,
    backoff: &'a mut Backoff,
    /// The last event ID at the start of the connection, which holds until the stream sets another.
    last_id: String,
    /// When the head of the stream arrived.
    pub(super) connected: Option<Instant>,
    beats: Beats,
    /// When something was last read from a server that is not codechat's.
    pub(super) last_read: Instant,
    sender: Sender,
    /// The number of events from a server that is not codechat's.
    events: u64,
    /// Whether the stream has announced its end.
    pub(super) is_over: bool,
    /// Whether the task has yielded since something was read.
    has_yielded: bool,
    batch: Vec<Piece>,
    bytes: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        stream: BoxStream<Result<SSE, Error>>,
        runs: &'a Runs,
        memory: &'a Memory,
        notes: &'a mut Notes,
        backoff: &'a mut Backoff,
        last_id: String,
    ) -> Self {
        Self {
            stream,
            runs,
            memory,
            notes,
            backoff,
            last_id,
            connected: None,
            beats: Beats::default(),
            last_read: Instant::now(),
            sender: Sender::Foreign,
            events: 0,
            is_over: false,
            has_yielded: false,
            batch: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes the current batch; the next one begins.
    pub(super) fn take_batch(&mut self) -> Vec<Piece> {
        self.bytes = 0;
        // The next batch will be about as long as this one.
        let next = Vec::with_capacity(self.batch.len());
        std::mem::replace(&mut self.batch, next)
    }

    /// Returns after how long in silence the connection counts as dead. The transport checks that of a codechat server.
    pub(super) fn silent(&self) -> Option<Duration> {
        self.beats
            .silence()
            .filter(|_| self.sender == Sender::Foreign)
    }

    pub(super) fn note(&mut self, note: Option<String>) {
        let note = note.map(|it| Piece::Item(Ok(Update::Note(it.into()))));
        self.batch.extend(note);
    }

    /// Returns how the connection ended, and notes its age.
    pub(super) fn ended(&mut self, error: &Error, place: &str) -> Ended {
        let Some(connected) = self.connected else {
            return ended_by(error, place);
        };
        let age = connected.elapsed();
        if matches!(error, Error::Eof | Error::UnexpectedEof) {
            let note = if self.notes.is_url() && age < QUICK_END {
                self.notes.of_quick_end()
            } else {
                self.reset_backoff(age);
                self.notes.of_age(age, Close::Proper)
            };
            self.note(note);
            let reason = format!("the server ended the stream after {}", written(age));
            return Ended::Closed { reason };
        }
        match (no_stream(error), ended_by(error, place)) {
            (Some(NoStream::Lost(lost)), _) if matches!(lost.cause, Cause::Broken(_)) => {
                let note = self.notes.of_age(age, Close::Cut);
                self.note(note);
                self.cut(format!("the connection was cut after {}", written(age)))
            }
            (_, Ended::Cut { reason, .. }) => self.cut(reason),
            (_, ended) => ended,
        }
    }

    /// Returns that the stream broke off.
    pub(super) fn cut(&mut self, reason: String) -> Ended {
        let age = self.connected.map(|it| it.elapsed());
        self.reset_backoff(age.unwrap_or_default());
        let events = self.events;
        Ended::Cut { reason, events }
    }

    /// Resets the backoff if something was read, or the connection lasted.
    fn reset_backoff(&mut self, age: Duration) {
        if self.events > 0 || age >= QUICK_END {
            self.backoff.reset();
        }
    }

    /// Ready once the batch has something that should not wait, or with the error that ends the stream.
    pub(super) fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        let mut comments = 0;
        while self.batch.len() < BATCH && self.bytes < BATCH_BYTES && !self.is_over {
            if comments == COMMENTS {
                // All these comments make one heartbeat.
                break;
            }
            let Poll::Ready(read) = self.stream.poll_next_unpin(cx) else {
                if self.batch.is_empty() {
                    return Poll::Pending;
                }
                // The sender of the next chunk may only be waiting for its turn, and a batch of one event costs its
                // reader a write.
                if !std::mem::replace(&mut self.has_yielded, true) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                break;
            };
            self.has_yielded = false;
            match read {
                Some(Ok(read)) => {
                    comments += usize::from(is_comment(&read));
                    self.take(read);
                }
                Some(Err(error)) => return Poll::Ready(Some(error)),
                None => return Poll::Ready(Some(Error::Eof)),
            }
        }
        Poll::Ready(None)
    }

    /// Processes the head of the stream.
    fn connect(&mut self, head: &Response) {
        let header = |name: &str| {
            let value = head.get_header_value(name).ok()??;
            Some(value.to_owned())
        };
        self.connected = Some(Instant::now());
        self.sender = match header(wire::FORMAT_HEADER) {
            Some(format) => Sender::Codechat(format.parse().unwrap_or_default()),
            None => Sender::Foreign,
        };
        self.batch.push(Piece::Connected {
            sender: self.sender,
            is_resuming: cursor(&self.last_id).is_some(),
        });
        for note in self.notes.of(header, self.memory.take_notes()) {
            self.note(Some(note));
        }
    }

    fn take(&mut self, read: SSE) {
        if self.sender == Sender::Foreign {
            self.last_read = Instant::now();
            if is_beat(&read) {
                self.beats.beat(self.last_read);
            }
        }
        let piece = match read {
            SSE::Connected(details) => return self.connect(details.response()),
            SSE::Comment(mark) if mark == MARK => {
                let Some(run) = self.runs.pop() else { return };
                self.backoff.reset();
                self.bytes += run.size();
                Piece::Plain(run)
            }
            SSE::Comment(_) => match self.batch.last() {
                Some(Piece::Item(Ok(Update::Heartbeat))) => return,
                _ => Piece::Item(Ok(Update::Heartbeat)),
            },
            SSE::Event(event) => {
                self.bytes += event.data.len();
                let event = Event {
                    id: event.id.unwrap_or_else(|| self.last_id.clone()).into(),
                    name: event.event_type.into(),
                    data: event.data.into(),
                };
                if self.sender == Sender::Foreign {
                    self.foreign(event)
                } else {
                    self.backoff.reset();
                    self.is_over = event.name == sse::END;
                    Piece::Event(event)
                }
            }
        };
        self.batch.push(piece);
    }

    /// Processes an event of a server that is not codechat's.
    fn foreign(&mut self, event: Event<'static>) -> Piece {
        self.events += 1;
        if !self.notes.is_url() {
            self.backoff.reset();
        } else if event.data == DONE {
            self.is_over = true;
            return Piece::Item(Ok(Update::Gone));
        }
        let at = unix_millis();
        Piece::Foreign { event, at }
    }
}

/// Returns whether this may be a heartbeat.
fn is_beat(read: &SSE) -> bool {
    is_comment(read) || matches!(read, SSE::Event(event) if event.event_type == "ping")
}

/// Returns whether this is a server's comment rather than one of our marks.
fn is_comment(read: &SSE) -> bool {
    matches!(read, SSE::Comment(text) if text != MARK)
}
