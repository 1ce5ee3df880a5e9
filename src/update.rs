//! What a reader of a stream learns, one after the other.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{End, EventId, Format, Gap, UnixMillis};
use crate::message::{DEFAULT_EVENT, Message};

/// What happens on a stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Update {
    /// A connection was accepted; each time.
    Connected {
        /// What the events are written in: JSON only where the server says so.
        format: Format,
        /// Whether the server is codechat's; any other one takes no control requests.
        is_codechat: bool,
    },
    /// A message came; in a box, for on the way to its reader an update is moved at every step.
    Message(Box<Received>),
    /// Messages are gone; the stream goes on after them.
    Gap(Gap),
    /// The channel ended; nothing comes after this.
    End(End),
    /// The server knows the stream to be over (204); nothing comes after this.
    Gone,
    /// A sign of life without news; several at once count as one.
    Heartbeat,
    /// What a reader should know of the connection, in a sentence; each is told once.
    Note(Box<str>),
    /// A try failed or a connection was lost; the next try comes after `delay`.
    Retrying {
        /// How many tries have failed since the last event, from 1.
        attempt: u32,
        /// How long it is until the next one.
        delay: Duration,
        /// What happened.
        reason: Box<str>,
    },
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// The last event ID at this message; empty where the stream has set none.
    pub id: String,
    /// The event's name as the stream gives it, `message` where it gives none.
    pub event: Cow<'static, str>,
    /// When the server took it, where the ID tells.
    pub time: Option<UnixMillis>,
    /// What was said.
    pub message: Message,
    /// The event as it came, if the server is not codechat's.
    pub foreign: Option<Box<ForeignEvent>>,
}

impl Received {
    /// Creates a message as a codechat server sends it, for a test of what reads a stream. Its time is that in the ID.
    ///
    /// ```
    /// use codechat::{Message, Received};
    ///
    /// let received = Received::new("17-1732262400123", Message::text("Refresh finished"));
    /// assert_eq!(received.event, "debug");
    /// assert_eq!(received.when(), Some(1_732_262_400_123));
    /// ```
    #[must_use]
    pub fn new(id: impl Into<String>, message: Message) -> Self {
        let id = id.into();
        let named = message.event.as_ref();
        Self {
            time: id.parse().ok().map(|it: EventId| it.time),
            event: named.map_or(DEFAULT_EVENT.into(), |it| it.as_str().to_owned().into()),
            id,
            message,
            foreign: None,
        }
    }

    /// When it was said: when the server took it, or else when it came, as far as either is known.
    #[must_use]
    pub fn when(&self) -> Option<UnixMillis> {
        let came = self.foreign.as_ref().map(|it| it.received_at);
        self.time.or(came)
    }
}

/// What is known of an event of a server that is not codechat's, besides its ID and name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignEvent {
    /// Its data, exactly.
    pub data: Arc<str>,
    /// When its last byte came.
    pub received_at: UnixMillis,
    /// What its data name as the part of the program that says it, if they were looked into.
    pub logger: Option<Box<str>>,
}

impl ForeignEvent {
    /// Creates an event from its data and when its last byte came, for a test of what reads a stream.
    #[must_use]
    pub fn new(data: impl Into<Arc<str>>, received_at: UnixMillis) -> Self {
        Self {
            data: data.into(),
            received_at,
            logger: None,
        }
    }
}
