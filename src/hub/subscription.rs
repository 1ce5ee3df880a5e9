//! A subscription: one reader's position in a channel's log.

use std::task::{Context, Poll};

use super::channel::{Channel, Entrance, Position, Read};
use super::sync::{self, Arc, Ordering};
use super::{Hub, Refusal};
use crate::event::{ClientId, ClientPast, End, EventId, Format, Gap};

/// What a reader gets, in order and without holes: what it missed is a [`Gap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Frames were appended to the buffer.
    Events,
    /// This reader has missed messages; delivery continues after them. The ID is that of the last missed one.
    Gap(Gap, EventId),
    /// The channel has ended; nothing comes after this.
    End(End),
    /// The hub closes, but the channel does not end; nothing comes after this.
    Closing,
    /// This hub cannot reach the channel, but other servers may; nothing comes after this. See
    /// [`Mirror::cut`](super::Mirror::cut).
    Cut,
}

/// How a subscription began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From the beginning, or from the tail.
    Fresh,
    /// Right after the reader's cursor.
    Resumed,
    /// From the beginning, because the reader's cursor is from an earlier channel: a gap of unknown size comes first.
    Restarted,
}

/// One reader's position. Dropping it leaves the channel.
///
/// Streaming publishers wait for a subscription to read, so its holder must drop it if the reader stalls.
pub struct Subscription {
    channel: Arc<Channel>,
    place: usize,
    format: Format,
    start: Start,
    last: EventId,
    unknown_gap: bool,
    past: ClientPast,
}

impl Hub {
    /// Opens a subscription. An unknown ID gets a new channel. So does an ID that has ended, unless the reader has a
    /// cursor, which shows that it was reading the ended channel.
    ///
    /// # Errors
    /// [`Refusal::Ended`] (with a cursor only), the limits' refusals, [`Refusal::Closing`].
    #[doc(hidden)]
    pub fn subscribe(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
    ) -> Result<Subscription, Refusal> {
        self.enter(id, format, from, || self.open(id))
    }

    /// Opens a subscription on an existing channel.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], and those of [`Hub::subscribe`].
    #[doc(hidden)]
    pub fn attach(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
    ) -> Result<Subscription, Refusal> {
        self.enter(id, format, from, || Err(Refusal::Unknown))
    }

    fn enter(
        &self,
        id: ClientId,
        format: Format,
        from: Position,
        missing: impl Fn() -> Result<Arc<Channel>, Refusal>,
    ) -> Result<Subscription, Refusal> {
        loop {
            self.admit()?;
            let known = self.channel(id);
            if known.is_none() && matches!(from, Position::After(_)) && self.has_ended(id) {
                return Err(Refusal::Ended);
            }
            let ended = known.is_none().then(|| self.ended(id)).flatten();
            let channel = known.map_or_else(&missing, Ok)?;
            let Some(entrance) = channel.enter(from) else {
                // The channel has ended since the lookup, and will leave the registry in a moment.
                sync::yield_now();
                continue;
            };
            let entrance = entrance?;
            return Ok(opened(&channel, &entrance, format, from, ended));
        }
    }
}

/// Returns the subscription of a reader that has entered. `ended` is what was remembered of an earlier channel with the
/// same ID.
pub(super) fn opened(
    channel: &Arc<Channel>,
    entrance: &Entrance,
    format: Format,
    from: Position,
    ended: Option<ClientPast>,
) -> Subscription {
    let start = match from {
        Position::After(_) if entrance.foreign => Start::Restarted,
        Position::After(_) => Start::Resumed,
        Position::Start | Position::Tail(_) => Start::Fresh,
    };
    let past = match ended {
        Some(ended) => ended,
        None if entrance.is_new => ClientPast::New,
        None => ClientPast::Known,
    };
    Subscription::new(Arc::clone(channel), entrance, format, start, past)
}

impl Subscription {
    fn new(
        channel: Arc<Channel>,
        entrance: &Entrance,
        format: Format,
        start: Start,
        past: ClientPast,
    ) -> Self {
        channel.shared().subscribers.fetch_add(1, Ordering::Relaxed);
        Self {
            channel,
            place: entrance.place,
            format,
            start,
            last: entrance.before,
            unknown_gap: entrance.foreign,
            past,
        }
    }

    /// Returns the channel's ID.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.channel.id
    }

    /// Returns how the subscription began.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start
    }

    /// Returns what was known of the client when the subscription began.
    #[must_use]
    pub fn past(&self) -> ClientPast {
        self.past
    }

    /// Returns the format of the frames.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the ID of the last event read. The server's own events in this stream carry the same ID.
    #[must_use]
    pub fn last(&self) -> EventId {
        self.last
    }

    /// Appends all frames that are due to `out`, stopping once it holds `max` bytes.
    ///
    /// Pending if there is nothing to read; the task is woken when there is. [`Delivery::End`] and
    /// [`Delivery::Closing`] are returned again by later calls.
    pub fn poll_read(
        &mut self,
        out: &mut Vec<u8>,
        max: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Delivery> {
        if self.unknown_gap {
            self.unknown_gap = false;
            return Poll::Ready(Delivery::Gap(Gap::Unknown, self.last));
        }
        self.channel
            .poll_read(self.place, self.format, out, max, cx)
            .map(|read| match read {
                Read::Frames(last) => {
                    let read = last.seq.saturating_sub(self.last.seq);
                    let delivered = &self.channel.shared().delivered;
                    delivered.fetch_add(read, Ordering::Relaxed);
                    self.last = last;
                    Delivery::Events
                }
                Read::Gap(gap, last) => {
                    self.last = last;
                    Delivery::Gap(gap, last)
                }
                Read::End(end) => Delivery::End(end),
                Read::Closing => Delivery::Closing,
                Read::Cut => Delivery::Cut,
            })
    }

    /// Notes that the messages read after this event are not written yet, because the client's socket takes no more. If
    /// this server ends before they are, the client has to get them from another one.
    pub fn note_unwritten(&self, after: EventId) {
        self.channel.note_unwritten(self.place, after.seq + 1);
    }

    /// Awaits [`Subscription::poll_read`].
    pub async fn read(&mut self, out: &mut Vec<u8>, max: usize) -> Delivery {
        std::future::poll_fn(|cx| self.poll_read(out, max, cx)).await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channel.leave(self.place);
        self.channel
            .shared()
            .subscribers
            .fetch_sub(1, Ordering::Relaxed);
    }
}
