//! The meaning of a stream's events: a message, a repetition of one, or something else that a codechat server sends.

use std::borrow::Cow;
use std::sync::Arc;

use super::{ForeignEvent, Received, Update};
use crate::client::sse_repair::bypass::Event;
use crate::event::{End, EventId, Format, Gap, UnixMillis};
use crate::message::{DEFAULT_EVENT, Message};
use crate::wire::{json, sse};

/// The kind of sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Codechat(Format),
    /// Any other server: every event is a message.
    Foreign,
}

/// Translates events, and detects repetitions.
#[derive(Debug)]
pub(super) struct Translator {
    sender: Sender,
    /// The ID of the last message; kept across connections.
    seen: Option<EventId>,
    /// Whether the greeting may still come on this connection.
    greeting_due: bool,
    /// The number of connections, and whether anything with a number was read on them.
    connections: u64,
    has_read: bool,
    /// The ID and the data of the last event of a server that is not codechat's.
    last: Option<(Box<str>, Arc<str>)>,
    /// Whether the next event is the first after a resume, which may repeat the last one.
    may_repeat: bool,
}

impl Translator {
    /// Returns a translator. `cursor` is the last event ID of an earlier reading.
    pub(super) fn new(cursor: &str) -> Self {
        Self {
            sender: Sender::Foreign,
            seen: cursor.parse().ok(),
            greeting_due: false,
            connections: 0,
            has_read: !cursor.is_empty(),
            last: None,
            may_repeat: false,
        }
    }

    /// Begins a connection, which was to resume or not; returns its updates.
    pub(super) fn begin(&mut self, sender: Sender, resuming: bool) -> (Update, Option<Update>) {
        self.sender = sender;
        self.connections += 1;
        self.greeting_due = !resuming;
        self.may_repeat = resuming;
        if !resuming {
            // A fresh stream sends everything, whatever was read before.
            self.seen = None;
        }
        let (format, is_codechat) = match sender {
            Sender::Codechat(format) => (format, true),
            Sender::Foreign => (Format::Text, false),
        };
        // A server without IDs keeps nothing for clients that were disconnected.
        let may_miss = sender == Sender::Foreign && !resuming && self.connections > 1;
        let gap = may_miss.then_some(Update::Gap(Gap::Possible));
        (
            Update::Connected {
                format,
                is_codechat,
            },
            gap,
        )
    }

    /// Translates an event; returns `None` if it is a repetition.
    pub(super) fn read(&mut self, event: Event<'_>) -> Option<Update> {
        let format = match self.sender {
            Sender::Codechat(format) => format,
            Sender::Foreign => Format::Text,
        };
        let id = event.id.parse::<EventId>().ok();
        match &*event.name {
            sse::GAP => {
                self.seen = id.or(self.seen);
                let gap = json::parse_gap(&event.data).unwrap_or(Gap::Unknown);
                let is_joining = self.connections == 1 && !self.has_read;
                self.has_read = true;
                return Some(Update::Gap(match gap {
                    Gap::Known { from: 1, to } if is_joining => Gap::BeforeJoining { to },
                    gap => gap,
                }));
            }
            sse::END => {
                let end = End::from_name(&event.data).unwrap_or(End::Stopped);
                return Some(Update::End(end));
            }
            _ => {}
        }
        let parsed = match format {
            Format::Json => json::parse_event(&event.data),
            Format::Text => None,
        };
        let message = parsed.unwrap_or_else(|| self.text(&event, id));
        self.greeting_due = false;
        self.has_read |= !message.system;
        if id.is_some_and(|id| self.is_repeat(id, &message)) {
            return None;
        }
        Some(received(event, id, message))
    }

    /// Translates an event of a server that is not codechat's, which arrived at this time. Any event is a message. IDs
    /// may be anything and may recur, so only a repetition of the very last event right after a resume is left out.
    pub(super) fn read_foreign(&mut self, event: Event<'_>, at: UnixMillis) -> Option<Update> {
        let mut message = Message::text(&*event.data);
        message.event = other_than_default(&event.name);
        message.system = self.is_servers_own(&event);
        self.greeting_due = false;
        let data: Arc<str> = event.data.into();
        let last = self.last.replace(((&*event.id).into(), data.clone()));
        let is_same = last.is_some_and(|(id, text)| *id == *event.id && text == data);
        if std::mem::take(&mut self.may_repeat) && is_same {
            return None;
        }
        Some(Update::Message(Box::new(Received {
            time: None,
            id: event.id.into(),
            event: name(&event.name),
            message,
            foreign: Some(Box::new(ForeignEvent {
                data,
                received_at: at,
                logger: None,
            })),
        })))
    }

    /// Returns whether the event is an original server's own: a greeting as a connection's first event, or a farewell.
    fn is_servers_own(&self, event: &Event<'_>) -> bool {
        let is_greeting = self.greeting_due && event.data == sse::GREETING;
        event.name == DEFAULT_EVENT && (is_greeting || event.data == sse::FAREWELL)
    }

    /// Returns a message of which only the text is known. Whether the server itself sent it can then only be inferred
    /// from its text and place.
    fn text(&self, event: &Event<'_>, id: Option<EventId>) -> Message {
        let greeting = self.greeting_due && event.data == sse::GREETING;
        let not_beyond = |id: EventId| self.seen.is_some_and(|seen| id.seq <= seen.seq);
        let farewell = event.data == sse::FAREWELL && id.is_some_and(not_beyond);
        let unnumbered = id.is_some_and(|it| it.seq == 0);
        let mut message = Message::text(&*event.data);
        message.event = other_than_default(&event.name);
        message.system = greeting || farewell || unnumbered;
        message
    }

    /// Returns whether the message was read before; if not, it is now the last one.
    ///
    /// Numbers rise by one in a channel, and a channel's successor under the same ID starts again
    /// at 1, later. So a message is a repeat if neither its number nor its time is beyond the last
    /// one's. The server's own messages repeat the ID of the message before them and are none.
    fn is_repeat(&mut self, id: EventId, message: &Message) -> bool {
        let is_new = self
            .seen
            .is_none_or(|seen| id.seq > seen.seq || id.time > seen.time);
        if is_new {
            self.seen = Some(id);
        }
        !is_new && !message.system
    }
}

fn other_than_default(name: &str) -> Option<crate::message::EventName> {
    if name == DEFAULT_EVENT {
        None
    } else {
        name.parse().ok()
    }
}

/// Copies a name, except for those of nearly all events.
fn name(name: &str) -> Cow<'static, str> {
    match name {
        DEFAULT_EVENT => Cow::Borrowed(DEFAULT_EVENT),
        other => Cow::Owned(other.into()),
    }
}

fn received(event: Event<'_>, id: Option<EventId>, message: Message) -> Update {
    Update::Message(Box::new(Received {
        time: id.map(|it| it.time),
        id: event.id.into(),
        event: name(&event.name),
        message,
        foreign: None,
    }))
}
