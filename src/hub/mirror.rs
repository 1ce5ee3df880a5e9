//! Mirrors: channels of this hub that replicate channels of a store, for their readers at this node.
//!
//! The store numbers the messages and applies the limits; the node reports its readers and listeners to the store. For
//! its readers, a mirror is an ordinary channel: replay, live delivery, gaps and slow readers are the same code.

use super::channel::Channel;
use super::image::{Image, Loss, MirrorChange, Missing};
use super::subscription::opened;
use super::sync::{Arc, Ordering};
use super::{ControlStream, Hub, Position, Refusal, Subscription};
use crate::control::ControlState;
use crate::event::{ClientId, ClientPast, End, EventId, Format, UnixMillis};
use crate::message::{Message, Operation};

/// A handle to one mirror. Clones are handles to the same one.
#[derive(Clone)]
pub struct Mirror {
    hub: Hub,
    channel: Arc<Channel>,
}

impl Hub {
    /// Creates the mirror of a channel that has none yet. Its log is bounded by the memory budget alone.
    ///
    /// # Errors
    /// [`Refusal::OutOfMemory`], [`Refusal::Closing`].
    ///
    /// # Panics
    /// If the channel already has a mirror.
    #[doc(hidden)]
    pub fn mirror(&self, id: ClientId, image: Image) -> Result<Mirror, Refusal> {
        self.admit()?;
        let budget = self.shared.limits.memory;
        if self.shared.memory.load(Ordering::Relaxed) >= budget {
            return Err(Refusal::OutOfMemory(budget));
        }
        let channel = Channel::new(id, Arc::clone(&self.shared)).mirroring(image);
        let channel = Arc::new(channel);
        let before = self.shard(id).insert(id, Arc::clone(&channel));
        assert!(before.is_none(), "a client has at most one mirror");
        self.registry.clients.fetch_add(1, Ordering::Relaxed);
        let hub = self.clone();
        Ok(Mirror { hub, channel })
    }

    /// Waits for a mirror whose readers or listeners have changed: see [`Mirror::take_change`].
    pub async fn changed_mirror(&self) -> ClientId {
        self.shared.changes.next().await
    }
}

impl Mirror {
    /// Appends messages that the store has accepted, numbered from `from` on; it holds none older than `held_from`.
    ///
    /// # Errors
    /// [`Missing`] if the mirror lacks messages before these. Then none is appended.
    pub fn append(
        &self,
        held_from: u64,
        from: u64,
        events: Vec<(UnixMillis, Message)>,
    ) -> Result<(), Missing> {
        self.channel.append_taken(held_from, from, events)
    }

    /// Replaces the mirror's content by what the store holds. A reader that has read messages which the store lacks gets
    /// [`Gap::Unknown`](crate::Gap::Unknown), and continues with what the store has. So does one that has passed a place at
    /// which another mirror noticed a loss. `is_sure` means that the store is known to have lost nothing since the
    /// mirror's last update, even if the two have no message in common to compare.
    /// Returns which messages the store lacks, if any.
    #[must_use]
    pub fn renew(&self, image: Image, is_sure: bool) -> Option<Loss> {
        self.channel.renew(image, is_sure)
    }

    /// Returns whether the mirror knows that the store has lost messages right before this number.
    #[must_use]
    pub fn knows_loss(&self, place: u64) -> bool {
        self.channel.knows_loss(place)
    }

    /// Sets the number of subscribers at all nodes, and the control requests.
    pub fn set_audience(&self, control: ControlState) {
        self.channel.set_audience(control);
    }

    /// Returns the ID of the newest event here.
    #[must_use]
    pub fn last(&self) -> EventId {
        self.channel.last()
    }

    /// Returns whether the mirror holds everything that the store holds from this position on.
    #[must_use]
    pub fn covers(&self, from: Position) -> bool {
        self.channel.covers(from)
    }

    /// Opens a subscription; `None` if the mirror has ended. `past` is what the store remembered of the client when it
    /// opened the channel for this subscription.
    #[must_use]
    pub fn subscribe(
        &self,
        format: Format,
        from: Position,
        past: Option<ClientPast>,
    ) -> Option<Result<Subscription, Refusal>> {
        let entrance = self.channel.enter(from)?;
        let opened = |entrance| opened(&self.channel, &entrance, format, from, past);
        Some(entrance.map(opened))
    }

    /// Opens a control stream, and returns it with its ticket.
    ///
    /// # Errors
    /// [`Refusal::Ended`], [`Refusal::TooManyControlStreams`].
    pub fn listen(&self, operation: Option<Operation>) -> Result<(ControlStream, u64), Refusal> {
        let stands = operation.is_some();
        let ticket = self.channel.listen(operation)?;
        let channel = Arc::clone(&self.channel);
        Ok((ControlStream::new(channel, ticket, stands), ticket))
    }

    /// Notes that a publisher waits for the readers: their positions are queued to be reported, now and as they read
    /// on.
    pub fn note_awaited(&self) {
        self.channel.note_awaited();
    }

    /// Returns whether a publisher waits for readers here that have not read everything.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.channel.is_awaited()
    }

    /// Returns the numbers of readers and of publishers that listen.
    #[must_use]
    pub fn users(&self) -> (usize, usize) {
        self.channel.users()
    }

    /// Queues a change again that could not be reported.
    pub fn requeue(&self, change: MirrorChange) {
        self.channel.requeue(change);
    }

    /// Takes the change of readers and listeners; `None` if it was taken already. The next change is queued again.
    #[must_use]
    pub fn take_change(&self) -> Option<MirrorChange> {
        self.channel.take_change()
    }

    /// Ends the channel. Readers first get the messages that are here, then a gap for those that are missing up to
    /// `last`.
    pub fn end(&self, end: End, last: EventId) {
        if self.channel.end_at(end, last) {
            self.remove();
        }
    }

    /// Ends all subscriptions with [`Delivery::Cut`](super::Delivery::Cut), and all control streams, because the store
    /// is out of reach. The mirror continues once it is renewed.
    pub fn cut(&self) {
        self.channel.cut();
    }

    /// Returns whether it was cut and has not been renewed since.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.channel.is_cut()
    }

    /// Removes the mirror if it has no readers or listeners; returns false otherwise.
    #[must_use]
    pub fn remove_if_unused(&self) -> bool {
        let is_unused = self.channel.end_unused();
        if is_unused {
            self.remove();
        }
        is_unused
    }

    fn remove(&self) {
        self.hub.shard(self.channel.id).remove(&self.channel.id);
        self.hub.registry.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
