//! The hub's limits, and its refusals.

use std::time::Duration;

use thiserror::Error;

use super::LogLimits;

/// The limits of the hub.
///
/// ```
/// use std::time::Duration;
///
/// use codechat::{Hub, Limits, LogLimits};
///
/// let limits = Limits::new()
///     .log(LogLimits::new().messages(10_000))
///     .clients(100)
///     .idle_timeout(Duration::from_mins(5));
/// assert_eq!((limits.log.messages, limits.clients), (10_000, 100));
/// assert_eq!(limits.subscribers, Limits::default().subscribers);
/// let hub = Hub::new(limits);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Limits of each channel's log.
    pub log: LogLimits,
    /// Upper bound of the channels.
    pub clients: usize,
    /// Upper bound of one channel's subscribers.
    pub subscribers: usize,
    /// Upper bound of all logs, idempotency keys and unfinished requests, in bytes.
    pub memory: usize,
    /// How long a channel may be inactive before it ends.
    pub idle_timeout: Duration,
}

impl Limits {
    /// Creates the default limits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            log: LogLimits::new(),
            clients: 100_000,
            subscribers: 64,
            memory: 1 << 30,
            idle_timeout: Duration::from_mins(15),
        }
    }

    /// Sets the limits of each channel's log. Default 1,024 messages and 1 MiB.
    #[must_use]
    pub const fn log(mut self, log: LogLimits) -> Self {
        self.log = log;
        self
    }

    /// Sets the upper bound of the channels. Default 100,000.
    #[must_use]
    pub const fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// Sets the upper bound of one channel's subscribers. Default 64.
    #[must_use]
    pub const fn subscribers(mut self, subscribers: usize) -> Self {
        self.subscribers = subscribers;
        self
    }

    /// Sets the upper bound of all logs, idempotency keys and unfinished requests, in bytes. Default 1 GiB.
    #[must_use]
    pub const fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Sets how long a channel may be inactive before it ends. Default 15 minutes.
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// Why the hub refuses something.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumIter))]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such channel.
    #[error(
        "no client with this ID is known here; get an ID from /api/v1/sse/connect, or let the watcher subscribe first"
    )]
    Unknown,
    /// The channel has ended.
    #[error("this client's stream has ended; get a new ID from /api/v1/sse/connect")]
    Ended,
    /// [`Limits::clients`] is reached.
    #[error(
        "the limit of {0} clients is reached; stop one, or start the server with a higher --max-clients"
    )]
    TooManyClients(usize),
    /// [`Limits::subscribers`] is reached.
    #[error(
        "the limit of {0} subscribers of one client is reached; close one, or start the server with a higher --max-subscribers"
    )]
    TooManySubscribers(usize),
    /// [`super::CONTROL_STREAMS`] is reached.
    #[error("the limit of {0} control streams of one client is reached; close one")]
    TooManyControlStreams(usize),
    /// [`Limits::memory`] is used up, every channel is being watched, and the message would make a log larger.
    #[error(
        "the memory budget of {0} bytes for all logs, idempotency keys and unfinished requests is used up; stop a client, or start the server with a higher --max-memory"
    )]
    OutOfMemory(usize),
    /// The hub is closing.
    #[error("the server is shutting down; try again when it is back")]
    Closing,
}

/// Whether logs may grow; `Err` is the refusal for a message that would make a log grow.
pub(super) type Room = Result<(), Refusal>;
