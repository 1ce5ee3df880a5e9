//! The hub's limits, and its refusals.

use std::time::Duration;

use thiserror::Error;

use super::LogLimits;

/// The limits of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            log: LogLimits {
                messages: 1024,
                bytes: 1 << 20,
            },
            clients: 100_000,
            subscribers: 64,
            memory: 1 << 30,
            idle_timeout: Duration::from_mins(15),
        }
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
