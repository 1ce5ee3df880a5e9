//! One record: what is shown of a message, made safe once, and the rest only where that says less.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use crate::client::subscribe::Received;
use crate::event::{EventId, UnixMillis};
use crate::message::{DEFAULT_EVENT, Level, Message, Operation, Outcome, Progress};
use crate::terminal::safe_text::{self, Colour};
use crate::wire::json::{self, ForeignObject};

/// The most bytes of one message's text that are kept; a codechat server's never has more.
pub const TEXT_MAX: usize = 4 << 20;

/// Names of events that say nothing.
const DEFAULT_EVENTS: [&str; 2] = ["message", DEFAULT_EVENT];

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A publisher's message.
    Message,
    /// The server's own.
    System,
    /// What the watcher notes: a gap, an end.
    Note,
    /// A line that the user drew.
    Ruler,
}

/// One of the things that came.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place in the channel, from 1.
    pub seq: Option<NonZeroU64>,
    /// When the server took it, or when it was said elsewhere; never 0.
    pub time: Option<NonZeroU64>,
    /// When it came, in microseconds since the watch began.
    arrived: u64,
    /// The operation it belongs to, made safe.
    pub operation: Option<Arc<str>>,
    /// The text, made safe: visible characters, SGR sequences, and LF between lines.
    pub text: Box<str>,
    /// What else the message said.
    pub more: Option<Box<More>>,
    /// How much it matters.
    pub level: Option<Level>,
    /// What it is.
    pub kind: RecordKind,
    /// Whether its operation begins with it.
    pub begins: bool,
    /// Whether the text has colours: looked for once, since a filter asks all records at each key.
    is_coloured: bool,
}

/// What few messages say.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// The text as it came, where that is not what is shown.
    pub raw: Option<Box<str>>,
    /// The event ID, where it is not `<seq>-<time>`.
    pub id: Option<Box<str>>,
    /// The operation's name as it came, where that is not what is shown.
    pub operation: Option<Box<str>>,
    /// What is shown in an operation's place, made safe: the logger, or the event's name.
    pub label: Option<Box<str>>,
    /// What is kept of an event of a server that is not codechat's.
    pub foreign: Option<ForeignPart>,
    /// The event's name, where it is not the default.
    pub event: Option<Box<str>>,
    /// How far the operation is.
    pub progress: Option<Progress>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Anything else: one JSON object.
    pub fields: Option<Box<str>>,
}

/// What is kept of an event of a server that is not codechat's.
#[derive(Clone, Debug)]
pub struct ForeignPart {
    /// When its last byte came.
    pub received_at: UnixMillis,
    /// The time that it tells itself.
    pub time: Option<UnixMillis>,
    /// Its data, where that is not the text.
    pub data: Option<Arc<str>>,
}

impl Record {
    /// A record of a message that came.
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
        let foreign = foreign.map(|it| {
            let logger = it.logger.as_deref();
            let label = logger.or(Some(&*event).filter(|it| !DEFAULT_EVENTS.contains(it)));
            let label = label.map(|it| safe_text::safe_line(it, Colour::Strip).into());
            let data = (*it.data != *words).then_some(it.data);
            let received_at = it.received_at;
            (
                label,
                ForeignPart {
                    received_at,
                    time,
                    data,
                },
            )
        });
        let (label, foreign) = foreign.unzip();
        let (text, raw) = if message.system {
            let (safe, _) = made_safe(words.clone(), Colour::Strip);
            (set_off(&safe), Some(words.into()))
        } else {
            made_safe(words, colour)
        };
        let (text, raw) = match said_without_words(&message) {
            Some(told) if text.is_empty() => (told, Some("".into())),
            _ => (text, raw),
        };
        let is_coloured = text.contains('\x1b');
        let name = message.operation.as_ref().map(Operation::as_str);
        let safe_name = name.map(|it| safe_text::safe_line(it, Colour::Strip));
        let more = More {
            raw,
            // What is no codechat ID must not be taken for one, even if there is none.
            id: (event_id.is_none() && (foreign.is_some() || !id.is_empty())).then(|| id.into()),
            operation: name
                .filter(|it| safe_name.as_deref() != Some(it))
                .map(Into::into),
            event: match foreign {
                Some(_) => Some(event.into()),
                None => message.event.as_ref().map(|it| it.as_str().into()),
            },
            label: label.flatten(),
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

    /// A record of the watcher's own.
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

    /// When it came, since the watch began.
    #[must_use]
    pub fn arrived(&self) -> Duration {
        Duration::from_micros(self.arrived)
    }

    /// The text without its colours.
    #[must_use]
    pub fn plain(&self) -> Cow<'_, str> {
        if self.is_coloured {
            plain(&self.text)
        } else {
            Cow::Borrowed(&self.text)
        }
    }

    /// What stands before the text: the operation, or else the logger or the event's name.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        let label = || self.more.as_ref()?.label.as_deref();
        self.operation.as_deref().or_else(label)
    }

    /// How its operation ended, if the message says so.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.more.as_ref().and_then(|it| it.outcome)
    }

    /// The event ID as it stood in the stream.
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

    /// When the server took it, or when it was said elsewhere.
    #[must_use]
    pub fn server_time(&self) -> Option<UnixMillis> {
        self.time.map(NonZeroU64::get)
    }

    /// The message as it came.
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

    /// The message as `--format json` writes it.
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

/// What a message without text says.
fn said_without_words(message: &Message) -> Option<Box<str>> {
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

/// What is no publisher's is never to be taken for a message.
fn set_off(text: &str) -> Box<str> {
    format!("-- {text} --").into()
}

fn micros(now: Duration) -> u64 {
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// Safe text without its colours.
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
        // Whatever follows an ESC in safe text is the rest of an SGR sequence, and what comes after.
        out.push_str(piece.split_once('m').map_or("", |(_, rest)| rest));
    }
    Cow::Owned(out)
}

/// The text made safe, and the text as it came where that is something else.
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
