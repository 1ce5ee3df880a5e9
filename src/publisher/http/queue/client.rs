//! A client in the queue: its messages, its scopes, and the control requests that they get.

use std::mem;
use std::sync::{Arc, Weak};

use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use super::backlog::{Backlog, Rank, Waiting};
use super::batch::Batch;
use super::room::Room;
use crate::control::{Cancel, ControlState};
use crate::event::ClientId;
use crate::message::{Message, Operation};

/// A scope, as the queue sees it.
pub(crate) trait Controlled: Send + Sync {
    /// Stores its client's standing.
    fn set_standing(self: Arc<Self>, standing: Standing);
}

/// The state of a client that its scopes need. A new scope starts with the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether messages are neither to be formatted nor to be sent.
    pub(crate) is_dormant: bool,
    /// The number of watchers, and what they ask for.
    pub(crate) control: ControlState,
}

/// Upper bounds of one request.
pub(super) const BATCH: Room = Room {
    messages: 1000,
    bytes: 256 << 10,
};

#[derive(Default)]
pub(super) struct Client {
    pub(super) backlog: Backlog,
    /// A batch in a pause, which is sent again before all else.
    pub(super) again: Option<Batch>,
    /// All of its messages that wait or are being sent.
    pub(super) used: Room,
    /// Messages that were dropped since the last batch.
    pub(super) dropped: u64,
    /// Whether this number is sent even without other messages.
    pub(super) owes_count: bool,
    pub(super) sending: Sending,
    pub(super) places: Places,
    pub(super) scopes: Vec<Weak<dyn Controlled>>,
    /// Operations that have started and whose outcome has not left the queue, in their order.
    pub(super) operations: Vec<Operation>,
    /// The first of them, which the control stream stands for.
    pub(super) first_operation: watch::Sender<Option<Operation>>,
    /// Whether the server has ever known it.
    pub(super) was_known: bool,
    /// How often in a row it was unknown to the server.
    pub(super) misses: u32,
    /// Ends the task that reads the control stream.
    pub(super) listener: Option<DropGuard>,
    /// The control state that the server reported last.
    pub(super) control: ControlState,
    /// A cancel whose operation has ended here, and the number of the message that ended it. The server reports the cancel
    /// until it has that message.
    pub(super) cancel_is_over: Option<(Cancel, u64)>,
    /// Whether there is a control stream, whose state is newer than that of answers.
    pub(super) has_control_stream: bool,
}

/// Whether a client's messages may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sending {
    #[default]
    Possible,
    UnderWay,
    /// Not before the next try.
    Paused,
    /// Not before the next try, and messages are dropped meanwhile.
    Dormant,
}

/// A client's places in the queue's lists.
#[derive(Default)]
pub(super) struct Places {
    pub(super) ready: Option<u64>,
    pub(super) to_drop: Option<Rank>,
    pub(super) counted: Option<u64>,
}

impl Client {
    /// Takes messages that wait: at least one if there is one, and no more than fit; with the number of dropped ones.
    pub(super) fn take(&mut self, id: ClientId, bound: Room) -> Batch {
        self.owes_count = false;
        let waiting = self.backlog.take(bound);
        Batch::new(id, waiting, mem::take(&mut self.dropped), self.was_known)
    }

    /// Drops a message, if there is one outside of batches. Returns its room.
    pub(super) fn drop_one(&mut self) -> Option<Room> {
        let dropped = self.backlog.drop_one()?;
        let freed = Room {
            messages: 1,
            bytes: dropped.bytes,
        };
        self.used.remove(freed);
        self.may_lack(std::slice::from_ref(&dropped));
        self.note_left(&dropped.message);
        self.dropped += 1;
        Some(freed)
    }

    /// Returns whether it has messages to send, and may send them.
    pub(super) fn is_ready(&self) -> bool {
        self.sending == Sending::Possible && (self.is_waiting() || self.owes_count)
    }

    pub(super) fn is_used(&self) -> bool {
        let has_scopes = || self.scopes.iter().any(|it| it.strong_count() > 0);
        self.is_waiting() || self.owes_count || self.sending != Sending::Possible || has_scopes()
    }

    fn is_waiting(&self) -> bool {
        self.again.is_some() || !self.backlog.is_empty()
    }

    pub(super) fn began(&mut self, operation: &Operation) {
        self.operations.push(operation.clone());
        self.name_first_operation();
    }

    /// Notes that a message has left the queue, sent or not. If it has an outcome, its operation has ended.
    pub(super) fn note_left(&mut self, message: &Message) {
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

    /// Notes that a message is published: an outcome ends the cancel of its operation, as it will on the server. Returns whether
    /// there was one.
    pub(super) fn ends_cancel(&mut self, message: &Message, number: u64) -> bool {
        let requested = &mut self.control.requested;
        let cancel = requested.cancel.clone();
        let is_over = message.outcome.is_some() && requested.is_over(message.operation.as_ref());
        if is_over {
            self.cancel_is_over = cancel.map(|it| (it, number));
        }
        is_over
    }

    /// Notes that the server may never get these messages. If one of them ends a cancelled operation, the cancel is over
    /// only once the server no longer reports it.
    pub(super) fn may_lack(&mut self, messages: &[Waiting]) {
        if let Some((_, number)) = &mut self.cancel_is_over
            && messages.iter().any(|it| it.number == *number)
        {
            *number = u64::MAX;
        }
    }

    /// Notes that the server has the messages up to this number, except those passed to [`Client::may_lack`]. A cancel that it
    /// reports from now on is a new one.
    pub(super) fn note_accepted_until(&mut self, number: u64) {
        self.cancel_is_over.take_if(|it| it.1 <= number);
    }

    /// Stores the control state that the server reports.
    pub(super) fn set_control(&mut self, mut control: ControlState) {
        let over = self.cancel_is_over.as_ref().map(|it| &it.0);
        if over.is_some() && control.requested.cancel.as_ref() == over {
            control.requested.cancel = None;
        } else {
            self.cancel_is_over = None;
        }
        self.control = control;
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            is_dormant: self.sending == Sending::Dormant,
            control: self.control.clone(),
        }
    }

    pub(super) fn scopes(&self) -> Vec<Arc<dyn Controlled>> {
        self.scopes.iter().filter_map(Weak::upgrade).collect()
    }
}
