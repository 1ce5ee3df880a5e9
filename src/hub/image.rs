//! The values that a mirror and its store exchange.

use crate::control::ControlState;
use crate::event::{EventId, UnixMillis};
use crate::message::{Message, Operation};

/// A channel's state in the store, from some message on.
#[derive(Clone, Debug)]
pub struct Image {
    /// When the channel was opened, which distinguishes channels with the same ID.
    pub created: UnixMillis,
    /// The oldest number that the store holds; the next one if it holds none.
    pub held_from: u64,
    /// The ID right before the first of `events`.
    pub before: EventId,
    /// The messages, without holes, with the times when the store accepted them.
    pub events: Vec<(UnixMillis, Message)>,
    /// The newest place at which the store is known to have lost messages: see [`Loss::Before`].
    pub lost: Option<u64>,
    /// Subscribers at all nodes, and the control requests.
    pub control: ControlState,
}

/// The messages of a mirror that its store has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All messages: the channel was replaced by another one.
    All,
    /// An unknown number of messages right before the one that has this number now.
    Before(u64),
}

impl Image {
    /// Returns the ID of the newest event.
    #[must_use]
    pub fn last(&self) -> EventId {
        let seq = self.before.seq + self.events.len() as u64;
        self.id_of(seq).unwrap_or(self.before)
    }

    /// Returns the ID of a message in the image, or of the one before the first.
    pub(crate) fn id_of(&self, seq: u64) -> Option<EventId> {
        let index = seq.checked_sub(self.before.seq)?;
        let Some(index) = index.checked_sub(1) else {
            return Some(self.before);
        };
        let (time, _) = self.events.get(usize::try_from(index).ok()?)?;
        Some(EventId { seq, time: *time })
    }
}

/// A change of a mirror's readers and listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorChange {
    /// The number of readers.
    pub readers: usize,
    /// The number of publishers that listen for control requests.
    pub listeners: usize,
    /// The oldest number that a reader still needs; that of the next message if there are no readers.
    pub slowest: u64,
    /// Whether readers have left because this hub closes: they are about to resume elsewhere from `slowest` on.
    pub is_closing: bool,
    /// Whether there are no readers and no listeners, and no listener may reconnect.
    pub is_unused: bool,
    /// The tickets of closed control streams, with the operations that they accompanied.
    pub gone: Vec<(u64, Operation)>,
}

/// The error that a mirror lacks earlier messages, and has to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing;
