//! Reading a stream to its end: [`Feed`] connects, resumes after each lost connection, and reports each try.
//!
//! `eventsource-client` parses each response. Its reconnecting is switched off, because it does not report tries, decides
//! by the status alone, and ignores what a stream says between events. A task reads and parses, and passes batches to the
//! feed; it pauses while a few wait. The feed makes one update at a time, which halves the cost of allocation.

mod beats;
pub(super) mod connection;
pub(super) mod ended;
mod notes;
mod reader;
pub(super) mod target;
mod translate;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use thiserror::Error;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::retry::Backoff;
use super::sse_repair::bypass::Run;
use super::{Client, ClientError, UrlStream};
use crate::event::{ClientId, Format};
pub use crate::update::{ForeignEvent, Received, Update};

use connection::Connection;
use reader::Piece;
use target::{Next, Target};
use translate::Translator;

/// The shortest and the longest wait before a try.
const DELAYS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// Upper bound of the batches that wait for a reader before the stream is no longer read.
const BATCHES: usize = 2;

/// How to read any server's stream.
#[derive(Clone, Debug, Default)]
pub struct StreamOptions {
    /// Whether to go on trying if nothing answers at the very first try, rather than give up.
    pub wait: bool,
    /// The event of an earlier reading after which to continue.
    pub last_event_id: Option<String>,
    /// Whether to end with the response, rather than ask again.
    pub once: bool,
    /// Requests to reconnect; a request other than a GET is not repeated.
    pub reconnect: Reconnect,
}

/// How to read a client's stream.
///
/// ```
/// use codechat::{Format, SubscribeOptions};
///
/// let options = SubscribeOptions::new().format(Format::Json).tail(100).wait(true);
/// assert_eq!((options.format, options.tail), (Format::Json, Some(100)));
/// let reconnect = options.reconnect.clone();
/// # let _ = move || reconnect.ask();
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// The format to request. A server that is not codechat's sends text anyway.
    pub format: Format,
    /// Upper bound of the held messages to replay; default all.
    pub tail: Option<u64>,
    /// Whether to go on trying if nothing answers at the very first try, rather than give up.
    pub wait: bool,
    /// The event of an earlier reading after which to continue.
    pub last_event_id: Option<String>,
    /// Requests to reconnect.
    pub reconnect: Reconnect,
    /// Whether to note what the server knows of the client, for an ID that was typed and may be wrong.
    pub notes_past: bool,
    /// Whether to note that the server is inside another program's watcher, and when it ends with that.
    pub notes_owner: bool,
}

impl SubscribeOptions {
    /// Creates the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the format to request. Default [`Format::Text`].
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Sets the upper bound of the held messages to replay. Default all.
    #[must_use]
    pub fn tail(mut self, messages: u64) -> Self {
        self.tail = Some(messages);
        self
    }

    /// Sets whether to go on trying if nothing answers at the very first try. Default false.
    #[must_use]
    pub fn wait(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// Sets the event of an earlier reading after which to continue. Default none.
    #[must_use]
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = Some(id.into());
        self
    }

    /// Sets the handle by which to request reconnecting. Default a new one; to use that, clone the field.
    #[must_use]
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Sets whether to note what the server knows of the client. Default false.
    #[must_use]
    pub fn notes_past(mut self, notes: bool) -> Self {
        self.notes_past = notes;
        self
    }

    /// Sets whether to note that the server is inside another program's watcher, and when it ends with that. Default false.
    #[must_use]
    pub fn notes_owner(mut self, notes: bool) -> Self {
        self.notes_owner = notes;
        self
    }
}

/// A handle by which to make a feed reconnect at once, whether it is connected or waits for the next try. The next
/// connection continues after what was read. Clones belong to the same feed.
#[derive(Clone, Debug, Default)]
pub struct Reconnect(Arc<Notify>);

impl Reconnect {
    /// Requests to reconnect.
    pub fn ask(&self) {
        self.0.notify_one();
    }

    async fn requested(&self) {
        self.0.notified().await;
    }
}

/// Why a feed has failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum FeedError {
    /// Nothing answers at the first try, or the server refuses for good.
    #[error(transparent)]
    Client(Box<ClientError>),
    /// The answer is not an event stream.
    #[error(transparent)]
    NotAStream(Box<NotAStream>),
    /// The stream broke off, and is not requested again.
    #[error("{0}")]
    Cut(String),
    /// It cannot be decoded, or a line or an event is too long.
    #[error("the stream cannot be read: {0}")]
    Unreadable(String),
    /// A recording of the stream cannot be written, or a recording to replay cannot be read.
    #[error("{0}")]
    Recording(String),
}

impl From<ClientError> for FeedError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

/// An answer that is not an event stream.
#[derive(Clone, Debug, Error)]
#[error("{url} answers with {kind} instead of an event stream, beginning with {start:?}{advice}")]
#[non_exhaustive]
pub struct NotAStream {
    /// The requested URL.
    pub url: String,
    /// The answer's content type.
    pub kind: String,
    /// The start of its body, shortened.
    pub start: String,
    /// What to do instead, if that is known.
    pub advice: String,
}

/// A stream's updates. Ends after [`Update::End`], [`Update::Gone`] or an error; dropping it closes
/// the connection at once.
pub struct Feed {
    batches: mpsc::Receiver<Vec<Piece>>,
    batch: std::vec::IntoIter<Piece>,
    /// The plain events before the rest of the batch.
    run: Run,
    translator: Translator,
    /// The update that follows the newest [`Update::Connected`].
    pending: Option<Update>,
    task: AbortHandle,
}

type Item = Result<Update, FeedError>;

impl Feed {
    pub(super) fn open(client: Client, id: ClientId, options: SubscribeOptions) -> Self {
        Self::of(Target::channel(client, id, options))
    }

    pub(super) fn of_url(stream: UrlStream, options: StreamOptions) -> Self {
        Self::of(Target::url(stream, options))
    }

    fn of(target: Target) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES);
        let translator = Translator::new(target.cursor());
        let task = tokio::spawn(run(target, sender));
        Self {
            batches,
            batch: Vec::new().into_iter(),
            run: Run::default(),
            translator,
            pending: None,
            task: task.abort_handle(),
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

impl Stream for Feed {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let this = &mut *self;
        loop {
            if let Some(update) = this.pending.take() {
                return Poll::Ready(Some(Ok(update)));
            }
            while let Some(event) = this.run.next() {
                if let Some(update) = this.translator.read(event) {
                    return Poll::Ready(Some(Ok(update)));
                }
            }
            let update = match this.batch.next() {
                Some(Piece::Plain(run)) => {
                    this.run = run;
                    None
                }
                Some(Piece::Event(event)) => this.translator.read(event),
                Some(Piece::Foreign { event, at }) => this.translator.read_foreign(event, at),
                Some(Piece::Connected {
                    sender,
                    is_resuming,
                }) => {
                    let (connected, more) = this.translator.begin(sender, is_resuming);
                    this.pending = more;
                    Some(connected)
                }
                Some(Piece::Item(item)) => return Poll::Ready(Some(item)),
                None => match std::task::ready!(this.batches.poll_recv(cx)) {
                    Some(batch) => {
                        this.batch = batch.into_iter();
                        None
                    }
                    None => return Poll::Ready(None),
                },
            };
            if let Some(update) = update {
                return Poll::Ready(Some(Ok(update)));
            }
        }
    }
}

/// Connects and reads, repeatedly, until the stream has ended or the feed was dropped.
async fn run(target: Target, out: mpsc::Sender<Vec<Piece>>) {
    let mut connection = Connection::new(target);
    let mut backoff = Backoff::new(DELAYS.0, DELAYS.1);
    loop {
        let Some(ended) = connection.read(&mut backoff, &out).await else {
            continue;
        };
        if let Some(note) = connection.note_on(&ended)
            && out.send(vec![Piece::Item(Ok(note))]).await.is_err()
        {
            return;
        }
        let (reason, retry_after) = match connection.target.after(ended) {
            Next::Nothing => return,
            Next::Last(item) => {
                let _ = out.send(vec![Piece::Item(item)]).await;
                return;
            }
            Next::Again {
                reason,
                retry_after,
            } => (reason, retry_after),
        };
        let (attempt, delay) = backoff.next(connection.floor(), retry_after);
        let retrying = Update::Retrying {
            attempt,
            delay,
            reason: reason.into(),
        };
        if out.send(vec![Piece::Item(Ok(retrying))]).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = connection.target.reconnect().requested() => {}
        }
    }
}
