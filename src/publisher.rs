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

/// Where an application's messages go: to a hub in its own process, or to a server. One for a process; clones are the same one.
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
    /// Messages that the hub or the server took.
    pub accepted: u64,
    /// Messages that it did not take, as for a client that has ended, or that did not fit into the queue.
    pub dropped: u64,
    /// Messages that wait to be sent, or are being sent. Always 0 for a hub.
    pub pending: u64,
    /// For how long the server has not taken anything; `None` if it does.
    pub away: Option<Duration>,
}

/// Not everything was sent in time.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{pending} messages could not be sent in time")]
#[non_exhaustive]
pub struct Unflushed {
    /// Messages that wait to be sent, or are being sent.
    pub pending: u64,
}

impl Publisher {
    /// Publishes to this hub, at once and on the caller's thread.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self::to(Destination::hub(hub.clone()))
    }

    /// Publishes to this server. Nothing is sent yet, and a server that is away is no error.
    ///
    /// Messages go into a queue of at most 8,192 messages and 8 MiB (1,024 and 1 MiB for one client). A thread, started when the
    /// first scope or message needs it, sends them, up to 32 clients' at once. If the queue is full, or the server is away for
    /// more than 30 s, the oldest messages are dropped, and the next one is preceded by their number. Before the application ends,
    /// call [`Publisher::flush`].
    ///
    /// A fork does not take the thread along: a process that forks makes its publishers afterwards.
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
    /// [`SetupError::Client`] if the token is no single word of ASCII, or the HTTP library does not start.
    #[cfg(feature = "client")]
    pub fn http(server: ServerUrl, options: HttpOptions) -> Result<Self, SetupError> {
        let client = setup::client(server, options)?;
        Ok(Self::to(Destination::http(HttpDestination::new(client))))
    }

    /// Publishes to the server in `CODECHAT_SERVER`, by default `http://127.0.0.1:2428`, as [`Publisher::http`] does. Its token
    /// is what the file in `CODECHAT_TOKEN_FILE` holds, or else `CODECHAT_TOKEN`. With `CODECHAT_PUBLISH=off`, nothing is
    /// published.
    ///
    /// # Errors
    /// [`SetupError`] if one of these cannot be used.
    #[cfg(feature = "client")]
    pub fn from_env() -> Result<Self, SetupError> {
        let client = setup::client_from_env()?;
        let server = |client| Self::to(Destination::http(HttpDestination::new(client)));
        Ok(client.map_or_else(Self::none, server))
    }

    /// Publishes nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    fn to(destination: Destination) -> Self {
        Self(Some(Arc::new(destination)))
    }

    /// One client, for what works on its request. An ID that is not known is no error: what is published to it is
    /// dropped, until a watcher subscribes. A server is asked for it again after 2 s, later after up to 30 s.
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
        self.0.as_ref().map(|it| it.stats()).unwrap_or_default()
    }

    /// Waits until everything is sent, for at most this long: the last thing that an application does which publishes to a
    /// server. Does not wait in the child of a process that forked, since nothing is sent there.
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
