//! What the queue has of one client: its messages in their order, and who is told what its watcher asks for.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use crate::control::ControlState;
use crate::event::ClientId;
use crate::message::{Message, Operation};

/// A scope, as far as the queue is concerned.
pub(crate) trait Controlled: Send + Sync {
    /// Takes note of how many watch, and what they ask for.
    fn set_control(self: Arc<Self>, state: ControlState);
    /// Stops, or resumes, formatting and sending messages.
    fn set_dormant(&self, is_dormant: bool);
}

/// A number of messages, and their size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// Upper bounds of one request.
pub(super) const BATCH: Room = Room {
    messages: 1000,
    bytes: 256 << 10,
};

#[derive(Default)]
pub(super) struct Client {
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) used: Room,
    /// Messages that were dropped since the last batch.
    pub(super) dropped: u64,
    pub(super) sending: Sending,
    pub(super) scopes: Vec<Weak<dyn Controlled>>,
    /// Operations that began and whose outcome is in the queue at most, in their order.
    pub(super) operations: Vec<Operation>,
    /// The first of them: the one that the control stream stands for.
    pub(super) first_operation: watch::Sender<Option<Operation>>,
    /// Whether the server knew it once.
    pub(super) was_known: bool,
    /// How often in a row the server did not know it.
    pub(super) misses: u32,
    /// Ends the task that listens to control requests.
    pub(super) listener: Option<DropGuard>,
    /// What its scopes were told last.
    pub(super) known: Option<ControlState>,
    /// Whether that task has a stream, which knows more than the answers do.
    pub(super) has_control_stream: bool,
}

/// Whether a client's messages may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sending {
    #[default]
    Possible,
    UnderWay,
    /// The server does not know the client: not before it is asked again.
    Paused,
    /// The same, and what is pushed is dropped.
    Dormant,
}

pub(in crate::publisher::http) struct Waiting {
    pub(in crate::publisher::http) message: Box<Message>,
    pub(super) bytes: usize,
    /// Whether it starts or ends an operation, which would else run for ever on screen.
    pub(super) is_kept: bool,
    pub(super) since: Instant,
}

/// What a sender takes: messages of one client, in their order. There is at least one.
pub(in crate::publisher::http) struct Batch {
    pub(in crate::publisher::http) id: ClientId,
    pub(in crate::publisher::http) waiting: Vec<Waiting>,
    /// How many were dropped before them, which a line before them says if it is not 0.
    pub(in crate::publisher::http) dropped: u64,
    /// Whether the server knew the client once.
    pub(in crate::publisher::http) was_known: bool,
}

impl Client {
    pub(super) fn take(&mut self, id: ClientId) -> Option<Batch> {
        if self.sending != Sending::Possible || self.waiting.is_empty() {
            return None;
        }
        self.sending = Sending::UnderWay;
        let mut used = Room::default();
        let fits = |it: &&Waiting| {
            used.add(it.bytes);
            used.fits(BATCH)
        };
        let count = self.waiting.iter().take_while(fits).count().max(1);
        Some(Batch {
            id,
            waiting: self.waiting.drain(..count).collect(),
            dropped: mem::take(&mut self.dropped),
            was_known: self.was_known,
        })
    }

    pub(super) fn began(&mut self, operation: &Operation) {
        self.operations.push(operation.clone());
        self.name_first_operation();
    }

    /// Takes note of a message that has left the queue, sent or not: an outcome ends its operation.
    pub(super) fn is_done_with(&mut self, message: &Message) {
        let Some(operation) = message
            .operation
            .as_ref()
            .filter(|_| message.outcome.is_some())
        else {
            return;
        };
        if let Some(at) = self.operations.iter().position(|it| it == operation) {
            self.operations.remove(at);
            self.name_first_operation();
        }
    }

    fn name_first_operation(&self) {
        let first = self.operations.first();
        self.first_operation.send_if_modified(|it| {
            let is_new = it.as_ref() != first;
            *it = first.cloned();
            is_new
        });
    }

    /// Where the message is that is dropped next, if one has to be.
    pub(super) fn next_to_drop(&self) -> Option<usize> {
        let droppable = self.waiting.iter().position(|it| !it.is_kept);
        droppable.or((!self.waiting.is_empty()).then_some(0))
    }

    pub(super) fn is_used(&self) -> bool {
        let has_scopes = self.scopes.iter().any(|it| it.strong_count() > 0);
        has_scopes || !self.waiting.is_empty() || self.sending != Sending::Possible
    }

    pub(super) fn scopes(&self) -> Vec<Arc<dyn Controlled>> {
        self.scopes.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Batch {
    pub(super) fn used(&self) -> Room {
        let mut used = Room::default();
        for it in &self.waiting {
            used.add(it.bytes);
        }
        used
    }

    /// For how long its oldest message waits.
    pub(in crate::publisher::http) fn age(&self) -> Duration {
        self.waiting[0].since.elapsed()
    }
}

impl Room {
    pub(super) fn of(waiting: &Waiting) -> Self {
        Self {
            messages: 1,
            bytes: waiting.bytes,
        }
    }

    /// Adds one message of this size.
    pub(super) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, freed: Self) {
        // All was removed at once if nothing is published any more.
        self.messages = self.messages.saturating_sub(freed.messages);
        self.bytes = self.bytes.saturating_sub(freed.bytes);
    }

    pub(super) fn fits(self, bound: Self) -> bool {
        self.messages <= bound.messages && self.bytes <= bound.bytes
    }
}
