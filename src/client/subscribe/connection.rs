//! One request for a stream and the reading of its answer.

use std::future::{pending, poll_fn};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use eventsource_client::{BoxStream, Client as _, ClientBuilder, Error, ReconnectOptions, SSE};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::beats::Beats;
use super::notes::{Notes, written};
use super::translate::Sender;
use super::{FeedError, Item, Reconnect, SubscribeOptions, Update};
use crate::client::error::{Cause, Lost};
use crate::client::retry::Backoff;
use crate::client::sse_repair::bypass::{Event, MARK, Run, Runs};
use crate::client::transport::{Memory, NoStream, Transport};
use crate::client::{Client, ClientError, HEARTBEAT};
use crate::event::{ClientId, Format};
use crate::wire::{self, Route, sse};

/// How much a batch takes: so many pieces, or so many bytes.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
/// How many comments are read before others have their turn: a stream of nothing else never waits.
const COMMENTS: usize = 1024;
/// A server that has not answered for so long is said to be slow.
const NO_ANSWER: Duration = Duration::from_secs(5);
/// So many heartbeats are missed, in halves, before a connection is taken for dead.
const HALF_HEARTBEATS: u32 = 5;

/// What is read, in the order of the stream.
#[derive(Debug)]
pub(super) enum Piece {
    /// A connection was made, and what comes next is on it.
    Connected {
        sender: Sender,
        is_resuming: bool,
    },
    Plain(Run),
    Event(Event<'static>),
    /// Not of the stream.
    Item(Item),
}

/// How a connection ended.
pub(in crate::client) enum Ended {
    /// For good, or nobody listens any more.
    Over,
    /// For good, with an error.
    Failed(FeedError),
    /// There was no answer, which is an error at the first try.
    NoAnswer(Lost),
    /// For good: the server does not speak what it was asked in.
    WrongScheme(Lost),
    /// A next one may do better.
    Lost {
        reason: String,
        retry_after: Option<Duration>,
    },
}

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
            Err(error) => return Some(ended(&error, &url)),
        };
        let mut reader = Reader {
            stream,
            runs: &self.runs,
            notes: &mut self.notes,
            backoff,
            cursor,
            connected: None,
            beats: Beats::default(),
            last_read: Instant::now(),
            sender: Sender::Foreign,
            is_over: false,
            has_yielded: false,
            batch: Vec::new(),
            bytes: 0,
        };
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
                    let batch = std::mem::take(&mut reader.batch);
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
                () = until(silent_at) => silent.map(|it| Ended::Lost {
                    reason: NoStream::Silent(it).to_string(),
                    retry_after: None,
                }),
            };
            // The next batch will be about as long as this one.
            let next = Vec::with_capacity(reader.batch.len());
            let batch = std::mem::replace(&mut reader.batch, next);
            reader.bytes = 0;
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

/// Whether this may be a sign of life that comes at even distances.
fn is_beat(read: &SSE) -> bool {
    is_comment(read) || matches!(read, SSE::Event(event) if event.event_type == "ping")
}

/// Whether this is a server's comment, and no mark of ours.
fn is_comment(read: &SSE) -> bool {
    matches!(read, SSE::Comment(text) if text != MARK)
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => pending().await,
    }
}

/// What an error means for the feed.
pub(in crate::client) fn ended(error: &Error, url: &str) -> Ended {
    let lost = |reason| Ended::Lost {
        reason,
        retry_after: None,
    };
    if matches!(error, Error::Eof | Error::UnexpectedEof) {
        return lost("the server closed the stream".into());
    }
    let Some(no_stream) = no_stream(error) else {
        return lost(error.to_string());
    };
    match no_stream.clone() {
        NoStream::Over => Ended::Over,
        NoStream::Lost(why) if why.is_lasting() => Ended::WrongScheme(why),
        NoStream::Lost(why) => match why.cause {
            Cause::NotConnected(_) | Cause::Silent(_) => Ended::NoAnswer(why),
            _ => lost(why.to_string()),
        },
        NoStream::Refused(refusal) if refusal.is_passing() => Ended::Lost {
            reason: no_stream.to_string(),
            retry_after: refusal.retry_after,
        },
        NoStream::Refused(refusal) => Ended::Failed(ClientError::from(refusal).into()),
        NoStream::Other {
            kind,
            start,
            redirect,
        } => Ended::Failed(FeedError::NotAStream {
            url: redirect.map_or_else(|| url.into(), |it| it.to_string()),
            kind,
            start,
        }),
        NoStream::Silent(_) => lost(no_stream.to_string()),
        NoStream::TooLong | NoStream::UnknownCoding(_) | NoStream::BrokenCoding { .. } => {
            Ended::Failed(FeedError::Unreadable(no_stream.to_string()))
        }
    }
}

/// Why there is no stream, where our transport says so.
pub(in crate::client) fn no_stream(error: &Error) -> Option<&NoStream> {
    match error {
        Error::Transport(transport) => transport.inner().downcast_ref(),
        _ => None,
    }
}

/// Gathers what is ready into batches.
struct Reader<'a> {
    stream: BoxStream<Result<SSE, Error>>,
    runs: &'a Runs,
    notes: &'a mut Notes,
    backoff: &'a mut Backoff,
    /// The last event ID at the connection's beginning, which holds until the stream sets another.
    cursor: String,
    /// When the head of the stream came.
    connected: Option<Instant>,
    beats: Beats,
    /// When something was last read of a server that is not codechat's.
    last_read: Instant,
    sender: Sender,
    /// Whether the stream has said that it is over.
    is_over: bool,
    /// Whether others had their turn since something was read.
    has_yielded: bool,
    batch: Vec<Piece>,
    bytes: usize,
}

impl Reader<'_> {
    /// After how long in silence the connection is dead. A codechat server's is watched by the transport.
    fn silent(&self) -> Option<Duration> {
        self.beats
            .silence()
            .filter(|_| self.sender == Sender::Foreign)
    }

    fn note(&mut self, note: Option<String>) {
        let note = note.map(|it| Piece::Item(Ok(Update::Note(it))));
        self.batch.extend(note);
    }

    /// How the connection ended, and at what age.
    fn ended(&mut self, error: &Error, url: &str) -> Ended {
        let Some(connected) = self.connected else {
            return ended(error, url);
        };
        let age = connected.elapsed();
        let is_cut = matches!(no_stream(error), Some(NoStream::Lost(lost)) if matches!(lost.cause, Cause::Broken(_)));
        let reason = if matches!(error, Error::Eof | Error::UnexpectedEof) {
            let note = self.notes.of_age(age);
            self.note(note);
            format!("the server ended the stream after {}", written(age))
        } else if is_cut {
            format!("the connection was cut after {}", written(age))
        } else {
            return ended(error, url);
        };
        Ended::Lost {
            reason,
            retry_after: None,
        }
    }

    /// Is ready once the batch has something that should not wait, or with what ends the stream.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        let mut comments = 0;
        while self.batch.len() < BATCH && self.bytes < BATCH_BYTES && !self.is_over {
            if comments == COMMENTS {
                // The one heartbeat that all these are.
                break;
            }
            let Poll::Ready(read) = self.stream.poll_next_unpin(cx) else {
                if self.batch.is_empty() {
                    return Poll::Pending;
                }
                // Whoever has the next chunk may only wait for its turn, and a batch of one event costs
                // its reader a write.
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

    fn take(&mut self, read: SSE) {
        if self.sender == Sender::Foreign {
            self.last_read = Instant::now();
            if is_beat(&read) {
                self.beats.beat(self.last_read);
            }
        }
        let piece = match read {
            SSE::Connected(details) => {
                let format = details.response().get_header_value(wire::FORMAT_HEADER);
                let named = format.ok().flatten().map(str::parse::<Format>);
                self.sender = named.map_or(Sender::Foreign, |it| {
                    Sender::Codechat(it.unwrap_or_default())
                });
                self.batch.push(Piece::Connected {
                    sender: self.sender,
                    is_resuming: !self.cursor.is_empty(),
                });
                let response = details.response();
                let header = |name: &str| {
                    let value = response.get_header_value(name).ok()??;
                    Some(value.to_owned())
                };
                self.connected = Some(Instant::now());
                let notes = self.notes.of(header).into_iter();
                self.batch
                    .extend(notes.map(|it| Piece::Item(Ok(Update::Note(it)))));
                return;
            }
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
                self.backoff.reset();
                self.bytes += event.data.len();
                self.is_over = self.sender != Sender::Foreign && event.event_type == sse::END;
                Piece::Event(Event {
                    id: event.id.unwrap_or_else(|| self.cursor.clone()).into(),
                    name: event.event_type.into(),
                    data: event.data.into(),
                })
            }
        };
        self.batch.push(piece);
    }
}
