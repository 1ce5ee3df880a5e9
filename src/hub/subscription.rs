//! A subscription: one reader's cursor over a channel's log.

use std::task::{Context, Poll};

use super::channel::{Channel, Entrance, Read};
use super::sync::{Arc, Ordering};
use crate::event::{ClientId, ClientPast, End, EventId, Format, Gap};

/// What a reader gets, one after the other, without holes: what it did not get is a [`Gap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Frames were appended to the buffer.
    Events,
    /// Messages are gone for this reader; delivery goes on after them. The ID is that of the last
    /// lost one.
    Gap(Gap, EventId),
    /// The channel is over for good; nothing comes after this.
    End(End),
    /// The hub closes, the channel does not end; nothing comes after this.
    Closing,
}

/// How a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From the beginning, or from the tail.
    Fresh,
    /// Right after the reader's cursor.
    Resumed,
    /// The reader's cursor is from before this channel: a gap of unknown size comes first.
    Restarted,
}

/// One reader's cursor. Dropping it leaves the channel.
///
/// Streaming publishers wait for a subscription to read, so whoever holds one must drop it when its
/// reader stalls.
pub struct Subscription {
    channel: Arc<Channel>,
    place: usize,
    format: Format,
    start: Start,
    last: EventId,
    unknown_gap: bool,
    past: ClientPast,
}

impl Subscription {
    pub(super) fn new(
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

    /// The channel's ID.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.channel.id
    }

    /// How it began.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start
    }

    /// What was known of the client when it began.
    #[must_use]
    pub fn past(&self) -> ClientPast {
        self.past
    }

    /// How its frames are written.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The ID of the last event read: what a server's own event in this stream repeats.
    #[must_use]
    pub fn last(&self) -> EventId {
        self.last
    }

    /// Appends all frames that are due to `out`, stopping once it holds `max` bytes.
    ///
    /// Pending where there is nothing to read; the task is woken when there is. After
    /// [`Delivery::End`] and [`Delivery::Closing`] it gives the same again.
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
            })
    }

    /// [`Subscription::poll_read`] to await.
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
