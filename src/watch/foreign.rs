//! Maps events of servers that are not codechat's to messages: text, level, operation, time, progress and outcome, by
//! the names that logging libraries and APIs use.
//!
//! Data that is one JSON object is mapped; anything else is text, unchanged. Pure.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use serde_json::Value;

use crate::client::subscribe::{FeedError, Received, Update};
use crate::event::UnixMillis;
use crate::message::{Level, Message, Operation, Outcome, Progress};
use crate::wire::json;

mod pointer;
mod time;

pub use pointer::Pointer;

/// Members that may hold the text, the likeliest first.
const TEXTS: [&str; 10] = [
    "message",
    "msg",
    "text",
    "@m",
    "@mt",
    "error.message",
    "error",
    "detail",
    "body",
    "textPayload",
];
const LEVELS: [&str; 6] = [
    "level",
    "severity",
    "lvl",
    "@l",
    "log.level",
    "severityText",
];
const TIMES: [&str; 6] = ["time", "ts", "timestamp", "@timestamp", "@t", "created_at"];
const OPERATIONS: [&str; 3] = ["operation", "job", "task"];
const CURRENTS: [&str; 4] = ["current", "completed", "processed", "done"];
const PERCENTS: [&str; 3] = ["percent", "percentage", "pct"];
/// After this many events in which no pointer finds anything, the watcher says so.
const MISSES: u32 = 20;

/// How events become messages.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Where the text is; the first pointer that finds something counts.
    pub message_at: Vec<Pointer>,
    /// Whether only these pointers count, and members are not looked up by common names.
    pub by_pointers_only: bool,
    /// Whether the data is the text, unchanged.
    pub is_off: bool,
    /// The names of the events to show; all if it is empty.
    pub events: Vec<String>,
}

/// Maps foreign events to messages, one after the other.
#[derive(Debug)]
pub struct Mapper {
    mapping: Mapping,
    /// How many events no pointer has matched; `None` once one has, or once the watcher has said so.
    misses: Option<u32>,
}

impl Mapper {
    /// Creates a mapper with these rules.
    #[must_use]
    pub fn new(mapping: Mapping) -> Self {
        let misses = (!mapping.message_at.is_empty()).then_some(0);
        Self { mapping, misses }
    }

    /// Returns whether mapping can change an update.
    fn concerns(&self, update: &Update) -> bool {
        let is_filtered = !self.mapping.events.is_empty();
        matches!(update, Update::Message(it) if it.foreign.is_some() || is_filtered)
    }

    /// Maps an update; returns a note about it, if there is one. An event that is not to be shown becomes a heartbeat.
    pub fn map(&mut self, update: Update) -> (Update, Option<String>) {
        let Update::Message(mut received) = update else {
            return (update, None);
        };
        let is_shown = |name: &str| {
            let events = &self.mapping.events;
            events.is_empty() || events.iter().any(|it| it == name)
        };
        if received.message.system || received.foreign.is_none() && is_shown(&received.event) {
            return (Update::Message(received), None);
        }
        if !is_shown(&received.event) {
            return (Update::Heartbeat, None);
        }
        let note = self.read(&mut received);
        (Update::Message(received), note)
    }

    /// Maps the event's data to its message.
    fn read(&mut self, received: &mut Received) -> Option<String> {
        let foreign = received.foreign.as_mut().filter(|_| !self.mapping.is_off)?;
        let Some(object) = json::parse_object(&foreign.data).map(Value::Object) else {
            // An event's name may give a level, whatever its data is.
            if !self.mapping.by_pointers_only {
                received.message.level = level_of_name(&received.event);
            }
            return self.missed();
        };
        let mut pointers = self.mapping.message_at.iter();
        let by_pointer = pointers.find_map(|it| it.find(&foreign.data));
        let note = match &by_pointer {
            Some(_) => {
                self.misses = None;
                None
            }
            None => self.missed(),
        };
        let guesses = !self.mapping.by_pointers_only;
        let named = || guesses.then(|| text(&object)).flatten();
        let whole = || json::compact(&foreign.data).unwrap_or_default();
        let message = &mut received.message;
        message.text = by_pointer.or_else(named).unwrap_or_else(whole);
        if guesses {
            let fields = fields(&object, &received.event);
            received.time = fields.time;
            foreign.logger = fields.logger;
            *message = Message {
                text: std::mem::take(&mut message.text),
                event: message.event.take(),
                ..fields.message
            };
        }
        note
    }

    fn missed(&mut self) -> Option<String> {
        let misses = self.misses.as_mut()?;
        *misses += 1;
        if *misses < MISSES {
            return None;
        }
        self.misses = None;
        let pointers: Vec<_> = self
            .mapping
            .message_at
            .iter()
            .map(Pointer::as_str)
            .collect();
        let pointers = pointers.join(", ");
        Some(format!(
            "--message-at: none of the first {MISSES} events has {pointers}"
        ))
    }
}

/// A stream of updates with their foreign events mapped.
#[derive(Debug)]
pub struct Mapped<S> {
    updates: S,
    mapper: Mapper,
    /// A note about the newest event.
    note: Option<Update>,
}

impl<S> Mapped<S> {
    /// Creates a stream that maps `updates`.
    pub fn new(updates: S, mapping: Mapping) -> Self {
        Self {
            updates,
            mapper: Mapper::new(mapping),
            note: None,
        }
    }
}

impl<S: Stream<Item = Result<Update, FeedError>> + Unpin> Stream for Mapped<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if let Some(note) = self.note.take() {
            return Poll::Ready(Some(Ok(note)));
        }
        let next = self.updates.poll_next_unpin(cx);
        let is_concerned =
            matches!(&next, Poll::Ready(Some(Ok(update))) if self.mapper.concerns(update));
        if !is_concerned {
            return next;
        }
        next.map_ok(|update| {
            let (update, note) = self.mapper.map(update);
            self.note = note.map(|it| Update::Note(it.into()));
            update
        })
    }
}

/// What an object says besides its text.
struct Fields {
    message: Message,
    time: Option<UnixMillis>,
    logger: Option<Box<str>>,
}

fn fields(object: &Value, event: &str) -> Fields {
    let text = |name| member(object, name).and_then(Value::as_str);
    let mut operations = OPERATIONS.iter().filter_map(|it| text(it));
    Fields {
        message: Message {
            level: level(object, event),
            operation: operations.find_map(|it| it.parse::<Operation>().ok()),
            progress: progress(object),
            outcome: text("outcome").and_then(|it| it.parse::<Outcome>().ok()),
            ..Message::default()
        },
        time: first(object, &TIMES, time::of),
        logger: text("logger").filter(|it| !it.is_empty()).map(Into::into),
    }
}

/// Returns the first of these members that has a wanted value.
fn first<T>(object: &Value, names: &[&str], wanted: impl Fn(&Value) -> Option<T>) -> Option<T> {
    let mut members = names.iter().filter_map(|it| member(object, it));
    members.find_map(wanted)
}

/// Returns a member by its name; a name with a dot also finds a member of a member.
fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let nested = || {
        let (outer, inner) = name.split_once('.')?;
        object.get(outer)?.get(inner)
    };
    object.get(name).or_else(nested)
}

fn text(object: &Value) -> Option<String> {
    first(object, &TEXTS, |it| it.as_str().map(Into::into))
}

fn level(object: &Value, event: &str) -> Option<Level> {
    let said = first(object, &LEVELS, |it| match it {
        Value::String(word) => Level::said(word),
        Value::Number(number) => Level::said(&number.to_string()),
        _ => None,
    });
    let has_error = match object.get("error") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        // As an exit code, 0 is no error.
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::Bool(true)) => true,
    };
    let by_member = has_error.then_some(Level::Error);
    said.or(by_member).or_else(|| level_of_name(event))
}

/// Returns the level that an event's name suggests.
fn level_of_name(event: &str) -> Option<Level> {
    match event {
        "error" => Some(Level::Error),
        "warn" | "warning" => Some(Level::Warn),
        _ => None,
    }
}

fn progress(object: &Value) -> Option<Progress> {
    let number = |object: &Value, name: &str| object.get(name)?.as_f64();
    let own = || {
        let own = object.get("progress")?;
        let unit = own.get("unit").and_then(Value::as_str);
        Progress::new(number(own, "current")?, number(own, "total"), unit).ok()
    };
    let counted = || {
        let current = first(object, &CURRENTS, Value::as_f64)?;
        Progress::new(current, Some(number(object, "total")?), None).ok()
    };
    let percent = || {
        let percent = first(object, &PERCENTS, Value::as_f64)?;
        Progress::new(percent, Some(100.0), Some("%")).ok()
    };
    own().or_else(counted).or_else(percent)
}

#[cfg(test)]
mod tests;
