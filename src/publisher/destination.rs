//! The hub that an application publishes to, and which of its operations run there.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::event::ClientId;
use crate::hub::{ControlStream, Hub};
use crate::lock::lock;
use crate::message::{Message, OPERATION_MAX_CHARS, Operation};
use crate::message_builder;

/// The hub that takes the messages, and which operations run there.
pub(crate) struct Destination {
    hub: Hub,
    /// A short lock; none other is taken while it is held.
    running: Mutex<HashSet<(ClientId, Operation)>>,
    accepted: AtomicU64,
    dropped: AtomicU64,
}

impl Destination {
    pub(crate) fn new(hub: Hub) -> Self {
        Self {
            hub,
            running: Mutex::default(),
            accepted: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// How many messages the hub took, and how many it did not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.accepted.load(Relaxed), self.dropped.load(Relaxed))
    }

    /// Publishes a message; false if the hub does not take it.
    pub(crate) fn publish(&self, id: ClientId, message: Message) -> bool {
        let is_taken = self.hub.publish(id, message, None).is_ok();
        let count = if is_taken {
            &self.accepted
        } else {
            &self.dropped
        };
        count.fetch_add(1, Relaxed);
        is_taken
    }

    /// Listens to control requests; `None` if the client is not known, or too many listen.
    pub(crate) fn listen(
        &self,
        id: ClientId,
        operation: Option<Operation>,
    ) -> Option<ControlStream> {
        self.hub.listen(id, operation).ok()
    }

    /// Takes a name for an operation of this client: this one, or with ` #2` and so on while another runs by it.
    pub(crate) fn begin(&self, id: ClientId, name: &str) -> Operation {
        let mut running = lock(&self.running);
        let mut names = (1..).map(|count| numbered(name, count));
        names
            .find(|it| running.insert((id, it.clone())))
            .expect("some number is free")
    }

    /// Gives an operation's name back.
    pub(crate) fn end(&self, id: ClientId, operation: &Operation) {
        let mut running = lock(&self.running);
        running.remove(&(id, operation.clone()));
    }
}

/// The name of the operation that is this one among those of the same name.
fn numbered(name: &str, count: usize) -> Operation {
    let suffix = if count == 1 {
        String::new()
    } else {
        format!(" #{count}")
    };
    let kept: String = name
        .chars()
        .take(OPERATION_MAX_CHARS - suffix.len())
        .collect();
    let name = if kept.is_empty() { "operation" } else { &kept };
    message_builder::operation(&format!("{name}{suffix}")).expect("it has a name")
}
