//! Publishing from inside an application: a [`Publisher`] is where its messages go, a [`Scope`] is one client there.

pub(crate) mod destination;

use std::fmt;
use std::sync::Arc;

use self::destination::Destination;
use crate::event::ClientId;
use crate::hub::Hub;
use crate::scope::Scope;

/// Where an application's messages go. One for a process; clones are the same one.
///
/// ```
/// use codechat::{Hub, Limits, Publisher};
///
/// # fn main() -> Result<(), codechat::Refusal> {
/// let hub = Hub::new(Limits::default());
/// let publisher = Publisher::new(&hub);
/// let scope = publisher.scope(hub.connect()?);
/// scope.info("Processed file 3 of 120");
/// assert_eq!(hub.stats().published, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Publisher(Option<Arc<Destination>>);

/// What became of an application's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherStats {
    /// Messages that the hub took.
    pub accepted: u64,
    /// Messages that it did not take, as for a client that has ended.
    pub dropped: u64,
}

impl Publisher {
    /// Publishes to this hub, at once and on the caller's thread.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self(Some(Arc::new(Destination::new(hub.clone()))))
    }

    /// Publishes nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One client, for what works on its request. An ID that the hub does not know is no error: what is published to it is
    /// dropped, until a watcher subscribes.
    #[must_use]
    pub fn scope(&self, id: ClientId) -> Scope {
        match &self.0 {
            Some(destination) => Scope::new(Arc::clone(destination), id),
            None => Scope::none(),
        }
    }

    /// What became of all messages so far.
    #[must_use]
    pub fn stats(&self) -> PublisherStats {
        let (accepted, dropped) = self.0.as_ref().map_or((0, 0), |it| it.counts());
        PublisherStats { accepted, dropped }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Publisher").field(&self.stats()).finish()
    }
}
