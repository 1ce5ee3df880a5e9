//! Publishing from inside an application: a [`Publisher`] is where its messages go, a [`Scope`] is one client there.

pub(crate) mod destination;
#[cfg(feature = "client")]
pub(crate) mod http;
#[cfg(feature = "client")]
mod setup;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use self::destination::Destination;
#[cfg(feature = "client")]
use self::http::HttpDestination;
#[cfg(feature = "client")]
pub use self::setup::{HttpOptions, SetupError};
#[cfg(feature = "client")]
use crate::client::ServerUrl;
use crate::event::ClientId;
use crate::hub::Hub;
use crate::scope::Scope;

/// The destination of an application's messages: a hub in its own process, or a server. Make one for a process; clones share it.
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

/// Counts of an application's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherStats {
    /// Messages that the hub or the server accepted.
    pub accepted: u64,
    /// Messages that it did not accept, such as for a client that has ended, or that did not fit into the queue. Messages to a
    /// client that is known to be unknown are not made, and not counted.
    pub dropped: u64,
    /// Messages that wait to be sent, or are being sent. Always 0 for a hub.
    pub pending: u64,
    /// The time since the server first failed to answer; `None` if its last answer was a success, or it was never away.
    pub away: Option<Duration>,
}

/// The error of [`Publisher::flush`]: some messages still wait.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("messages that could not be sent in time: {pending}")]
#[non_exhaustive]
pub struct Unflushed {
    /// Messages that wait to be sent, or are being sent.
    pub pending: u64,
}

impl Publisher {
    /// Returns a publisher to this hub, which publishes at once and on the caller's thread.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self::to(Destination::hub(hub.clone()))
    }

    /// Returns a publisher to this server. Nothing is sent yet, and a server that does not answer is no error.
    ///
    /// Messages go into a queue of at most 8,192 messages and 8 MiB (1,024 and 1 MiB for one client). A thread, started when the
    /// first scope or message needs it, sends them in up to 32 requests at once, each with messages of one client. (A server may
    /// delay the answer to one of these until a slow watcher has read.) If the queue is full, the oldest message that is in no
    /// request is dropped, and one that starts or ends an operation only if there is no other. What could not be sent for 30 s is
    /// dropped too. The client's next message is preceded by one with the number of those that were dropped. Before the
    /// application ends, call [`Publisher::flush`].
    ///
    /// A child of a fork does not have the thread: a process that forks should make its publishers afterwards.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use codechat::{HttpOptions, Publisher};
    ///
    /// # async fn run(id: codechat::ClientId) -> Result<(), Box<dyn std::error::Error>> {
    /// let publisher = Publisher::http("http://127.0.0.1:2428".parse()?, HttpOptions::new())?;
    /// publisher.scope(id).info("Processed file 3 of 120");
    /// if let Err(unflushed) = publisher.flush(Duration::from_secs(2)).await {
    ///     eprintln!("{unflushed}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SetupError::Client`] if the token is not a single word of ASCII, or the HTTP library does not start.
    #[cfg(feature = "client")]
    pub fn http(server: ServerUrl, options: HttpOptions) -> Result<Self, SetupError> {
        let client = setup::client(server, options)?;
        Ok(Self::to(Destination::http(HttpDestination::new(client))))
    }

    /// Returns a publisher to the server in `CODECHAT_SERVER`, by default `http://127.0.0.1:2428`, as [`Publisher::http`] does. Its
    /// token is the content of the file in `CODECHAT_TOKEN_FILE`, or else `CODECHAT_TOKEN`. With `CODECHAT_PUBLISH=off`, nothing
    /// is published.
    ///
    /// # Errors
    /// [`SetupError`] if one of these cannot be used.
    #[cfg(feature = "client")]
    pub fn from_env() -> Result<Self, SetupError> {
        let client = setup::client_from_env()?;
        let server = |client| Self::to(Destination::http(HttpDestination::new(client)));
        Ok(client.map_or_else(Self::none, server))
    }

    /// Returns a publisher that publishes nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    fn to(destination: Destination) -> Self {
        Self(Some(Arc::new(destination)))
    }

    /// Returns a client's scope, for the code that works on its request. An unknown ID is no error: messages to it are dropped
    /// until a watcher subscribes. A server is asked for it again after 2 s, later after up to 30 s.
    #[must_use]
    pub fn scope(&self, id: ClientId) -> Scope {
        match &self.0 {
            Some(destination) => Scope::new(Arc::clone(destination), id),
            None => Scope::none(),
        }
    }

    /// Returns the counts of all messages so far.
    #[must_use]
    pub fn stats(&self) -> PublisherStats {
        self.0.as_ref().map(|it| it.stats()).unwrap_or_default()
    }

    /// Waits until everything is sent or dropped, for at most this long; [`Publisher::stats`] says which. Call it last in an
    /// application that publishes to a server. Returns at once in the child of a fork, where nothing is sent.
    ///
    /// # Errors
    /// [`Unflushed`] if something is left.
    pub async fn flush(&self, within: Duration) -> Result<(), Unflushed> {
        #[cfg(feature = "client")]
        if let Some(server) = self.0.as_ref().and_then(|it| it.as_http()) {
            server.flush(within).await;
        }
        #[cfg(not(feature = "client"))]
        let _ = within;
        match self.stats().pending {
            0 => Ok(()),
            pending => Err(Unflushed { pending }),
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Publisher").field(&self.stats()).finish()
    }
}
