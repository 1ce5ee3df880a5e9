//! What a mirror and its store tell each other.

use crate::control::ControlState;
use crate::event::{EventId, UnixMillis};
use crate::message::{Message, Operation};

/// What a store has of a channel, from some message on.
#[derive(Clone, Debug)]
pub struct Image {
    /// When the channel was opened: two that have the same ID differ in it.
    pub created: UnixMillis,
    /// The oldest number that the store holds; the next one where it holds none.
    pub held_from: u64,
    /// What stands right before the first of `events`.
    pub before: EventId,
    /// The messages, without holes, with when the store took them.
    pub events: Vec<(UnixMillis, Message)>,
    /// Subscribers at all nodes, and what is requested.
    pub control: ControlState,
}

impl Image {
    /// The ID of its newest event.
    #[must_use]
    pub fn last(&self) -> EventId {
        let seq = self.before.seq + self.events.len() as u64;
        self.id_of(seq).unwrap_or(self.before)
    }

    /// The ID of a message that it shows, or of what stands before the first.
    pub(super) fn id_of(&self, seq: u64) -> Option<EventId> {
        let index = seq.checked_sub(self.before.seq)?;
        let Some(index) = index.checked_sub(1) else {
            return Some(self.before);
        };
        let (time, _) = self.events.get(usize::try_from(index).ok()?)?;
        Some(EventId { seq, time: *time })
    }
}

/// What became of a mirror's readers and listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorChange {
    /// How many read it.
    pub readers: usize,
    /// How many publishers listen for control requests.
    pub listeners: usize,
    /// The number that the slowest reader reads next; the next one there will be where nobody reads.
    pub slowest: u64,
    /// Whether nobody reads, nobody listens, and nobody who listened may come back.
    pub is_unused: bool,
    /// The tickets of control streams that went, with the operations that they stood for.
    pub gone: Vec<(u64, Operation)>,
}

/// Messages between those that a mirror has and those that it was handed did not come: it has to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing;
