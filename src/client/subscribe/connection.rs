//! One request for a stream and the reading of its answer.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use eventsource_client::{BoxStream, Client as _, ClientBuilder, Error, ReconnectOptions, SSE};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::translate::Sender;
use super::{FeedError, Item, Reconnect, SubscribeOptions, Update};
use crate::client::error::{Cause, Lost};
use crate::client::retry::Backoff;
use crate::client::sse_repair::bypass::{Event, MARK, Run, Runs};
use crate::client::transport::{Memory, NoStream, Transport};
use crate::client::{Client, ClientError};
use crate::event::{ClientId, ClientPast, Format, UnixMillis};
use crate::wire::{self, Route, past, sse};

/// How much a batch takes: so many pieces, or so many bytes.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
/// How many comments are read before others have their turn: a stream of nothing else never waits.
const COMMENTS: usize = 1024;
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

/// What is still to be noted of the connection.
struct Notes {
    coding: bool,
    past: bool,
    owner: OwnerNote,
}

/// What is still to be noted of a watcher that the server is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnerNote {
    /// That it is there.
    There,
    /// Its end.
    End,
    Nothing,
}

impl Notes {
    /// What the head of a stream tells.
    fn of(&mut self, header: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(coding) = header("content-encoding").filter(|_| self.coding) {
            self.coding = false;
            notes.push(format!(
                "the stream comes compressed ({coding}), which was not asked for; what does that may delay messages"
            ));
        }
        let past = header(past::PAST_HEADER).and_then(|it| past::parse(&it));
        match past.filter(|_| std::mem::take(&mut self.past)) {
            Some(ClientPast::New) => {
                notes.push("nothing was published to this ID yet: is it the right one?".into());
            }
            Some(ClientPast::Ended { end, at }) => notes.push(format!(
                "it ended at {} ({}); this is a new stream",
                local_time(at),
                end.as_str()
            )),
            Some(ClientPast::Known) | None => {}
        }
        let owner = header(wire::SERVER_OWNER_HEADER);
        let is_watchers = owner.is_some_and(|it| it == wire::OWNED_BY_WATCHER);
        if is_watchers && self.owner == OwnerNote::There {
            self.owner = OwnerNote::End;
            notes.push(
                "the server is another watcher's, and ends with it; `codechat serve` is one that stays".into(),
            );
        }
        notes
    }
}

/// A time of day here, or a day if it was another one.
fn local_time(at: UnixMillis) -> String {
    let at = i64::try_from(at).ok();
    let at = at.and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    let at = at
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system());
    let is_today = at.date() == jiff::Zoned::now().date();
    let format = if is_today { "%H:%M" } else { "%F %H:%M" };
    at.strftime(format).to_string()
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
            notes: Notes {
                coding: true,
                past: options.notes_past,
                owner: if options.notes_owner {
                    OwnerNote::There
                } else {
                    OwnerNote::Nothing
                },
            },
        }
    }

    /// What is to be noted of how a connection ended.
    pub(super) fn note_on(&mut self, ended: &Ended) -> Option<Update> {
        let is_gone = matches!(ended, Ended::NoAnswer(lost) if !lost.is_connected());
        if !is_gone || self.notes.owner != OwnerNote::End {
            return None;
        }
        self.notes.owner = OwnerNote::Nothing;
        let text = "the watcher whose server this was has ended; `codechat serve` starts one, and this goes on there";
        Some(Update::Note(text.into()))
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
            sender: Sender::Foreign,
            is_over: false,
            has_yielded: false,
            batch: Vec::new(),
            bytes: 0,
        };
        loop {
            let error = tokio::select! {
                // First: only where nothing is left to be read may the connection be given up, and what
                // was read is handed on, for the next one goes on after what came on this one.
                biased;
                error = poll_fn(|cx| reader.poll_batch(cx)) => error,
                () = reconnect.asked() => {
                    let batch = std::mem::take(&mut reader.batch);
                    if !batch.is_empty() && out.send(batch).await.is_err() {
                        return Some(Ended::Over);
                    }
                    return None;
                }
            };
            // The next batch will be about as long as this one.
            let next = Vec::with_capacity(reader.batch.len());
            let batch = std::mem::replace(&mut reader.batch, next);
            reader.bytes = 0;
            if !batch.is_empty() && out.send(batch).await.is_err() || reader.is_over {
                return Some(Ended::Over);
            }
            let Some(error) = error else { continue };
            let ended = ended(&error, &url);
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
        patience: client.heartbeat * HALF_HEARTBEATS / 2,
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

/// Whether this is a server's comment, and no mark of ours.
fn is_comment(read: &SSE) -> bool {
    matches!(read, SSE::Comment(text) if text != MARK)
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
    sender: Sender,
    /// Whether the stream has said that it is over.
    is_over: bool,
    /// Whether others had their turn since something was read.
    has_yielded: bool,
    batch: Vec<Piece>,
    bytes: usize,
}

impl Reader<'_> {
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
