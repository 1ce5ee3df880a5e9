//! One record: what is shown of a message, made safe once, and its original only if that differs.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use crate::client::subscribe::{ForeignEvent, Received};
use crate::event::{EventId, UnixMillis};
use crate::message::{DEFAULT_EVENT, Level, Message, Operation, Outcome, Progress};
use crate::terminal::safe_text::{self, Colour};
use crate::wire::json::{self, ForeignObject};

/// Greatest length of a message's text, in bytes; a codechat server's never has more.
pub const TEXT_MAX: usize = 4 << 20;

/// Event names that say nothing.
const DEFAULT_EVENTS: [&str; 2] = ["message", DEFAULT_EVENT];

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A publisher's message.
    Message,
    /// The server's own.
    System,
    /// The watcher's: a gap, an end.
    Note,
    /// A line that the user drew.
    Ruler,
}

/// Something that came, or that the watcher noted.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its sequence number in the channel, from 1.
    pub seq: Option<NonZeroU64>,
    /// When the server accepted it, or the time that a foreign event gives; never 0.
    pub time: Option<NonZeroU64>,
    /// When it arrived, in microseconds since the watch began.
    arrived: u64,
    /// Its operation, made safe.
    pub operation: Option<Arc<str>>,
    /// The text, made safe: visible characters, SGR sequences, and LF between lines.
    pub text: Box<str>,
    /// Further members of the message.
    pub more: Option<Box<More>>,
    /// Its level.
    pub level: Option<Level>,
    /// Its kind.
    pub kind: RecordKind,
    /// Whether it is the first of its operation.
    pub begins: bool,
    /// Whether the text has colours: kept, since a filter asks it of all records at each key press.
    is_coloured: bool,
}

/// Members that few messages have.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// The original text, if it differs from what is shown.
    pub raw: Option<Box<str>>,
    /// The event ID, if it is not `<seq>-<time>`.
    pub id: Option<Box<str>>,
    /// The original name of the operation, if it differs from what is shown.
    pub operation: Option<Box<str>>,
    /// The label in the place of an operation's name, made safe: the logger, or the event's name.
    pub label: Option<Box<str>>,
    /// The original of an event of a server that is not codechat's.
    pub foreign: Option<ForeignPart>,
    /// The event's name, if it is not the default.
    pub event: Option<Box<str>>,
    /// The progress.
    pub progress: Option<Progress>,
    /// The outcome.
    pub outcome: Option<Outcome>,
    /// The fields: one JSON object.
    pub fields: Option<Box<str>>,
}

/// The original of an event of a server that is not codechat's.
#[derive(Clone, Debug)]
pub struct ForeignPart {
    /// When it was received.
    pub received_at: UnixMillis,
    /// The time that it gives.
    pub time: Option<UnixMillis>,
    /// Its data, if that is not the text.
    pub data: Option<Arc<str>>,
}

impl Record {
    /// Creates a record of a message.
    #[must_use]
    pub fn received(received: Received, now: Duration, colour: Colour) -> Self {
        let when = received.when();
        let Received {
            id,
            event,
            time,
            mut message,
            foreign,
        } = received;
        let event_id = match foreign {
            Some(_) => None,
            None => id.parse::<EventId>().ok(),
        };
        let words = std::mem::take(&mut message.text);
        let label = foreign.as_ref().and_then(|it| label_of(it, &event));
        let foreign = foreign.map(|it| ForeignPart {
            received_at: it.received_at,
            time,
            data: (*it.data != *words).then_some(it.data),
        });
        let (text, raw) = shown_text(words, &message, colour);
        let is_coloured = text.contains('\x1b');
        let name = message.operation.as_ref().map(Operation::as_str);
        let safe_name = name.map(|it| safe_text::safe_line(it, Colour::Strip));
        let more = More {
            raw,
            // An ID that is not codechat's must be kept, even an empty one, so that it is not taken for codechat's.
            id: (event_id.is_none() && (foreign.is_some() || !id.is_empty())).then(|| id.into()),
            operation: name
                .filter(|it| safe_name.as_deref() != Some(it))
                .map(Into::into),
            event: match foreign {
                Some(_) => Some(event.into()),
                None => message.event.as_ref().map(|it| it.as_str().into()),
            },
            label,
            foreign,
            progress: message.progress,
            outcome: message.outcome,
            fields: message.fields,
        };
        Self {
            seq: event_id.and_then(|it| NonZeroU64::new(it.seq)),
            time: when.and_then(NonZeroU64::new),
            arrived: micros(now),
            operation: safe_name.map(Into::into),
            text,
            more: more.is_something().then(|| Box::new(more)),
            level: message.level,
            kind: if message.system {
                RecordKind::System
            } else {
                RecordKind::Message
            },
            begins: false,
            is_coloured,
        }
    }

    /// Creates a record of the watcher's own.
    #[must_use]
    pub fn own(kind: RecordKind, level: Option<Level>, text: &str, now: Duration) -> Self {
        let (safe, _) = made_safe(text.into(), Colour::Strip);
        Self {
            seq: None,
            time: None,
            arrived: micros(now),
            operation: None,
            text: match kind {
                RecordKind::Note => set_off(&safe),
                _ => safe,
            },
            more: None,
            level,
            kind,
            begins: false,
            is_coloured: false,
        }
    }

    /// Returns when it arrived, since the watch began.
    #[must_use]
    pub fn arrived(&self) -> Duration {
        Duration::from_micros(self.arrived)
    }

    /// Returns the text without its colours.
    #[must_use]
    pub fn plain(&self) -> Cow<'_, str> {
        if self.is_coloured {
            plain(&self.text)
        } else {
            Cow::Borrowed(&self.text)
        }
    }

    /// Returns the label before the text: the operation, or else the logger or the event's name.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        let label = || self.more.as_ref()?.label.as_deref();
        self.operation.as_deref().or_else(label)
    }

    /// Returns the outcome, if the message has one.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.more.as_ref().and_then(|it| it.outcome)
    }

    /// Returns the event ID as it was in the stream.
    #[must_use]
    pub fn event_id(&self) -> String {
        let other = self.more.as_ref().and_then(|it| it.id.as_deref());
        match (other, self.time) {
            (Some(id), _) => id.into(),
            (None, None) => String::new(),
            (None, Some(time)) => EventId {
                seq: self.seq.map_or(0, NonZeroU64::get),
                time: time.get(),
            }
            .to_string(),
        }
    }

    /// Returns when the server accepted it, or the time that a foreign event gives.
    #[must_use]
    pub fn server_time(&self) -> Option<UnixMillis> {
        self.time.map(NonZeroU64::get)
    }

    /// Returns the original message.
    #[must_use]
    pub fn message(&self) -> Message {
        let more = self.more.as_deref().cloned().unwrap_or_default();
        let operation = more.operation.as_deref().or(self.operation.as_deref());
        Message {
            text: more.raw.unwrap_or_else(|| self.text.clone()).into(),
            level: self.level,
            operation: operation.and_then(|it| it.parse().ok()),
            progress: more.progress,
            outcome: more.outcome,
            event: more.event.and_then(|it| it.parse().ok()),
            fields: more.fields,
            system: self.kind == RecordKind::System,
        }
    }

    /// Returns the message as `--format json` writes it.
    #[must_use]
    pub fn json_object(&self) -> Vec<u8> {
        let (id, message) = (self.event_id(), self.message());
        let more = self.more.as_deref();
        let Some(foreign) = more.and_then(|it| it.foreign.as_ref()) else {
            return json::stamped_object(&id, self.server_time(), &message);
        };
        json::foreign_object(ForeignObject {
            received_at: foreign.received_at,
            id: &id,
            event: more.and_then(|it| it.event.as_deref()).unwrap_or_default(),
            time: foreign.time,
            message: &message,
            data: foreign.data.as_deref().unwrap_or(&message.text),
        })
    }

    pub(super) fn size(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |it| it.size());
        size_of::<Self>() + self.text.len() + more
    }
}

impl More {
    fn is_something(&self) -> bool {
        let has_value = self.progress.is_some() || self.outcome.is_some();
        has_value || self.foreign.is_some() || self.texts().next().is_some()
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let all = [
            &self.raw,
            &self.id,
            &self.operation,
            &self.label,
            &self.event,
            &self.fields,
        ];
        all.into_iter().filter_map(|it| it.as_deref())
    }

    fn size(&self) -> usize {
        let data = self.foreign.as_ref().and_then(|it| it.data.as_ref());
        let texts = self.texts().map(str::len).sum::<usize>();
        size_of::<Self>() + texts + data.map_or(0, |it| it.len())
    }
}

/// Returns the label of an event of a server that is not codechat's: its logger or its name.
fn label_of(foreign: &ForeignEvent, event: &str) -> Option<Box<str>> {
    let name = Some(event).filter(|it| !DEFAULT_EVENTS.contains(it));
    let label = foreign.logger.as_deref().or(name)?;
    Some(safe_text::safe_line(label, Colour::Strip).into())
}

/// Returns the text that is shown for a message with these words, and the words if they differ.
fn shown_text(words: String, message: &Message, colour: Colour) -> (Box<str>, Option<Box<str>>) {
    let (text, raw) = if message.system {
        let (safe, _) = made_safe(words.clone(), Colour::Strip);
        (set_off(&safe), Some(words.into()))
    } else {
        made_safe(words, colour)
    };
    match text_of_members(message) {
        Some(members) if text.is_empty() => (members, Some("".into())),
        _ => (text, raw),
    }
}

/// Returns the text for a message without one.
fn text_of_members(message: &Message) -> Option<Box<str>> {
    let progress = message.progress.as_ref();
    match (message.outcome, progress) {
        (Some(outcome), _) => Some(format!("({outcome})").into()),
        (None, Some(progress)) => {
            let total = progress
                .total()
                .map_or(String::new(), |it| format!("/{it}"));
            Some(format!("({}{total})", progress.current()).into())
        }
        (None, None) => None,
    }
}

/// Marks a text as the server's or the watcher's, so that it is not taken for a publisher's.
fn set_off(text: &str) -> Box<str> {
    format!("-- {text} --").into()
}

fn micros(now: Duration) -> u64 {
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// Removes the colours from safe text.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    let mut pieces = text.split('\x1b');
    let first = pieces.next().unwrap_or_default();
    if first.len() == text.len() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    out.push_str(first);
    for piece in pieces {
        // In safe text, ESC always begins an SGR sequence, which ends with `m`.
        out.push_str(piece.split_once('m').map_or("", |(_, rest)| rest));
    }
    Cow::Owned(out)
}

/// Returns the text made safe, and the original if it differs.
fn made_safe(mut text: String, colour: Colour) -> (Box<str>, Option<Box<str>>) {
    if text.len() > TEXT_MAX {
        let end = text.floor_char_boundary(TEXT_MAX);
        let gone = text.len() - end;
        text.truncate(end);
        text.extend([format!("… ({gone} more bytes are not kept)")]);
    }
    let mut lines = safe_text::safe_lines(&text, colour);
    let first = lines.next().unwrap_or_default();
    if first.len() == text.len() && matches!(first, Cow::Borrowed(_)) {
        drop(lines);
        return (text.into(), None);
    }
    let mut safe = first.into_owned();
    for line in lines {
        safe.push('\n');
        safe.push_str(&line);
    }
    let raw = (safe != text).then(|| text.into());
    (safe.into(), raw)
}
