//! Reading a client's messages in the process of the hub.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;

use crate::event::{ClientId, EventId, Format};
use crate::hub::{Delivery, Hub, Position, Refusal, Subscription};
use crate::update::{Received, Update};
use crate::wire::json;

/// Upper bound of one read from the log, in bytes.
const READ_BYTES: usize = 64 * 1024;

impl Hub {
    /// Reads a client's messages, as a watcher does over HTTP. An unknown client is opened. The feed ends after [`Update::End`], and
    /// when the hub is closed.
    ///
    /// # Errors
    /// [`Refusal::TooManyClients`], [`Refusal::TooManySubscribers`], [`Refusal::Closing`], and [`Refusal::Ended`] if `from` is an event of
    /// a client that has ended.
    ///
    /// ```
    /// use codechat::{Hub, Limits, Message, Position, Update};
    /// use futures_util::StreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), codechat::Refusal> {
    /// let hub = Hub::new(Limits::default());
    /// let id = hub.connect()?;
    /// hub.publish(id, Message::text("Refresh finished"), None)?;
    /// let mut feed = hub.feed(id, Position::Start)?;
    /// if let Some(Update::Message(received)) = feed.next().await {
    ///     assert_eq!(received.message.text, "Refresh finished");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn feed(&self, id: ClientId, from: Position) -> Result<HubFeed, Refusal> {
        Ok(HubFeed {
            subscription: self.subscribe(id, Format::Json, from)?,
            frames: Vec::new(),
            read: 0,
            is_over: false,
        })
    }
}

/// The updates of a client's stream: see [`Hub::feed`]. There are no errors, because no connection is involved.
///
/// Streaming publishers wait until it is read, so drop it if you no longer read it.
pub struct HubFeed {
    subscription: Subscription,
    frames: Vec<u8>,
    /// The number of bytes of the frames that have been read.
    read: usize,
    is_over: bool,
}

impl HubFeed {
    /// Returns the next message in the frames.
    fn next_message(&mut self) -> Option<Update> {
        let frame = &self.frames[self.read..];
        let length = memchr::memmem::find(frame, b"\n\n")?;
        let update = message(&frame[..length]);
        self.read += length + 2;
        update
    }
}

/// Parses a JSON frame: one line each with the ID, the name and the data.
fn message(frame: &[u8]) -> Option<Update> {
    let frame = std::str::from_utf8(frame).ok()?;
    let value = |name: &str| {
        let mut lines = frame.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let (id, event) = (value("id")?, value("event")?);
    Some(Update::Message(Box::new(Received {
        id: id.into(),
        event: event.to_owned().into(),
        time: id.parse().ok().map(|it: EventId| it.time),
        message: json::parse_event(value("data")?)?,
        foreign: None,
    })))
}

impl Stream for HubFeed {
    type Item = Update;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Update>> {
        let this = &mut *self;
        loop {
            if let Some(update) = this.next_message() {
                return Poll::Ready(Some(update));
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            this.frames.clear();
            this.read = 0;
            match ready!(
                this.subscription
                    .poll_read(&mut this.frames, READ_BYTES, cx)
            ) {
                Delivery::Events => {}
                Delivery::Gap(gap, _) => return Poll::Ready(Some(Update::Gap(gap))),
                Delivery::End(end) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Update::End(end)));
                }
                Delivery::Closing | Delivery::Cut => this.is_over = true,
            }
        }
    }
}

impl std::fmt::Debug for HubFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubFeed").finish_non_exhaustive()
    }
}
