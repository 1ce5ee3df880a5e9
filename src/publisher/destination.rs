//! The destination of an application's messages, and the operations that run there.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::PublisherStats;
#[cfg(feature = "client")]
use super::http::HttpDestination;
use crate::event::ClientId;
use crate::hub::{ControlStream, Hub};
use crate::lock::lock;
use crate::message::{Message, OPERATION_MAX_CHARS, Operation};
use crate::message_builder;

/// A hub or a server, and the operations that run there.
pub(crate) struct Destination {
    to: To,
    /// A short lock; none other is taken while it is held.
    running: Mutex<HashSet<(ClientId, Operation)>>,
}

enum To {
    Hub(HubDestination),
    #[cfg(feature = "client")]
    Http(HttpDestination),
}

/// A panic elsewhere leaves its state valid, with any features.
impl std::panic::RefUnwindSafe for Destination {}

/// A hub in the same process.
struct HubDestination {
    hub: Hub,
    accepted: AtomicU64,
    dropped: AtomicU64,
}

impl Destination {
    pub(super) fn hub(hub: Hub) -> Self {
        Self::new(To::Hub(HubDestination {
            hub,
            accepted: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }))
    }

    #[cfg(feature = "client")]
    pub(super) fn http(http: HttpDestination) -> Self {
        Self::new(To::Http(http))
    }

    fn new(to: To) -> Self {
        Self {
            to,
            running: Mutex::default(),
        }
    }

    pub(super) fn stats(&self) -> PublisherStats {
        match &self.to {
            To::Hub(it) => PublisherStats {
                accepted: it.accepted.load(Relaxed),
                dropped: it.dropped.load(Relaxed),
                ..PublisherStats::default()
            },
            #[cfg(feature = "client")]
            To::Http(it) => it.stats(),
        }
    }

    /// Returns the server that takes the messages; `None` if a hub does.
    #[cfg(feature = "client")]
    pub(crate) fn as_http(&self) -> Option<&HttpDestination> {
        match &self.to {
            To::Hub(_) => None,
            To::Http(it) => Some(it),
        }
    }

    /// Publishes a message; returns whether a hub took it.
    pub(crate) fn publish(&self, id: ClientId, message: Message) -> bool {
        match &self.to {
            To::Hub(it) => it.publish(id, message),
            #[cfg(feature = "client")]
            To::Http(it) => {
                it.publish(id, message);
                false
            }
        }
    }

    /// Opens a hub's control stream; `None` if the client is unknown there, or too many listen. A server's control requests come
    /// by `HttpDestination::enter`.
    pub(crate) fn listen(
        &self,
        id: ClientId,
        operation: Option<Operation>,
    ) -> Option<ControlStream> {
        match &self.to {
            To::Hub(it) => it.hub.listen(id, operation).ok(),
            #[cfg(feature = "client")]
            To::Http(_) => None,
        }
    }

    /// Reserves a name for an operation of this client: this one, or with ` #2` and so on while it is taken.
    pub(crate) fn begin(&self, id: ClientId, name: &str) -> Operation {
        let mut running = lock(&self.running);
        let mut names = (1..).map(|count| numbered(name, count));
        let name = names
            .find(|it| running.insert((id, it.clone())))
            .expect("some number is free");
        drop(running);
        #[cfg(feature = "client")]
        if let To::Http(it) = &self.to {
            it.began(id, &name);
        }
        name
    }

    /// Releases an operation's name.
    pub(crate) fn end(&self, id: ClientId, operation: &Operation) {
        let mut running = lock(&self.running);
        running.remove(&(id, operation.clone()));
    }
}

impl HubDestination {
    fn publish(&self, id: ClientId, message: Message) -> bool {
        let is_taken = self.hub.publish(id, message, None).is_ok();
        let count = if is_taken {
            &self.accepted
        } else {
            &self.dropped
        };
        count.fetch_add(1, Relaxed);
        is_taken
    }
}

/// Returns the name of the operation with this number among those of the same name.
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
