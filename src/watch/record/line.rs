//! The lines of a recording.
//!
//! A message is a line as `--format json` writes it, preceded by `atMillis`, the time since the watch began. An event
//! of a server that is not codechat's is kept unchanged, in `data`, and is mapped again when it is shown. Everything
//! else that happened on the stream has a line with `atMillis` and `event`, and no `message`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::subscribe::{ForeignEvent, Received, Update};
use crate::event::{End, EventId, Format, Gap, UnixMillis};
use crate::message::{DEFAULT_EVENT, Message};
use crate::wire::json::{self, ForeignObject, ForeignRecord};

/// Anything but a message.
#[derive(Deserialize, Serialize)]
#[serde(
    tag = "event",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum OtherEvent {
    Connected {
        format: String,
        /// Whether the server is not codechat's.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        foreign: bool,
    },
    Gap {
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
        /// Whether it is not certain that messages were lost.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        possible: bool,
    },
    End {
        reason: String,
    },
    Gone,
    Heartbeat,
    Note {
        text: Box<str>,
    },
    Retrying {
        attempt: u32,
        delay_millis: u64,
        reason: Box<str>,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<T> {
    at_millis: u64,
    #[serde(flatten)]
    what: T,
}

/// The members of a message's line that are not part of the message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stamp {
    at_millis: Option<u64>,
    #[serde(default)]
    id: String,
}

/// Formats an update as a line of a recording, without a line end.
pub(super) fn of(update: &Update, at: Duration) -> Vec<u8> {
    let at_millis = millis(at);
    let what = match update {
        Update::Message(received) => {
            let object = object(received);
            let mut line = format!("{{\"atMillis\":{at_millis},").into_bytes();
            line.extend_from_slice(&object[1..]);
            return line;
        }
        Update::Connected {
            format,
            is_codechat,
        } => OtherEvent::Connected {
            format: format.as_str().into(),
            foreign: !is_codechat,
        },
        Update::Gap(gap) => {
            let (from, to) = match gap {
                Gap::Known { from, to } => (Some(*from), Some(*to)),
                Gap::BeforeJoining { to } => (Some(1), Some(*to)),
                Gap::Possible | Gap::Unknown => (None, None),
            };
            let possible = *gap == Gap::Possible;
            OtherEvent::Gap { from, to, possible }
        }
        Update::End(end) => OtherEvent::End {
            reason: end.as_str().into(),
        },
        Update::Gone => OtherEvent::Gone,
        Update::Heartbeat => OtherEvent::Heartbeat,
        Update::Note(text) => OtherEvent::Note { text: text.clone() },
        Update::Retrying {
            attempt,
            delay,
            reason,
        } => OtherEvent::Retrying {
            attempt: *attempt,
            delay_millis: millis(*delay),
            reason: reason.clone(),
        },
    };
    serde_json::to_vec(&Line { at_millis, what }).expect("names and numbers can always be written")
}

/// Formats a message as a recording keeps it.
fn object(received: &Received) -> Vec<u8> {
    let Some(foreign) = &received.foreign else {
        return json::stamped_object(&received.id, received.time, &received.message);
    };
    let record = ForeignRecord::of(ForeignObject {
        received_at: foreign.received_at,
        id: &received.id,
        event: &received.event,
        time: None,
        message: &received.message,
        data: &foreign.data,
    });
    serde_json::to_vec(&record).expect("texts can always be written")
}

/// Reads the lines of a recording, of `--format json`, or of what the pane saved. The latter two have no time since the
/// watch began; the times at which the server accepted the messages stand in for it.
#[derive(Debug, Default)]
pub(in crate::watch) struct LineReader {
    /// When the server accepted the first message that has such a time, and its time since the watch began.
    first: Option<(UnixMillis, Duration)>,
    /// The time of the newest line.
    at: Duration,
    /// Whether a message or a gap has been read.
    has_read: bool,
}

impl LineReader {
    /// Returns the update that a line describes, and its time since the watch began; `None` if it is not such a line.
    pub(in crate::watch) fn read(&mut self, line: &str) -> Option<(Duration, Update)> {
        let update = if let Some((at_millis, received)) = foreign(line) {
            self.has_read |= !received.message.system;
            self.at = self.at_of(at_millis, received.when());
            Update::Message(Box::new(received))
        } else if let Some(message) = json::parse_event(line) {
            let stamp: Stamp = serde_json::from_str(line).ok()?;
            let time = stamp.id.parse().ok().map(|id: EventId| id.time);
            self.has_read |= !message.system;
            self.at = self.at_of(stamp.at_millis, time);
            Update::Message(Box::new(Received {
                time,
                id: stamp.id,
                event: message.event_name().to_owned().into(),
                message,
                foreign: None,
            }))
        } else {
            let line: Line<OtherEvent> = serde_json::from_str(line).ok()?;
            self.at = Duration::from_millis(line.at_millis);
            match update_of(line.what)? {
                Update::Gap(Gap::Known { from: 1, to }) if !self.has_read => {
                    self.has_read = true;
                    Update::Gap(Gap::BeforeJoining { to })
                }
                update => update,
            }
        };
        Some((self.at, update))
    }

    /// Returns a message's time since the watch began, from what its line says.
    fn at_of(&mut self, at_millis: Option<u64>, time: Option<UnixMillis>) -> Duration {
        match (at_millis, time) {
            (Some(at), _) => Duration::from_millis(at),
            (None, Some(time)) => {
                let (first, at) = *self.first.get_or_insert((time, self.at));
                at + Duration::from_millis(time.saturating_sub(first))
            }
            (None, None) => self.at,
        }
    }
}

/// Parses a line with an event of a server that is not codechat's. Returns `atMillis`, if it is there, and the event.
fn foreign(line: &str) -> Option<(Option<u64>, Received)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Foreign {
        at_millis: Option<u64>,
        #[serde(flatten)]
        record: ForeignRecord,
    }
    if !line.contains("\"receivedAt\"") {
        return None;
    }
    let Foreign { at_millis, record } = serde_json::from_str(line).ok()?;
    let received_at: jiff::Timestamp = record.received_at.parse().ok()?;
    let event = record.event_name().to_owned();
    let message = Message {
        event: Some(&*event)
            .filter(|it| *it != DEFAULT_EVENT)
            .and_then(|it| it.parse().ok()),
        system: record.system,
        ..Message::text(&*record.data)
    };
    let received = Received {
        id: record.id,
        event: event.into(),
        time: None,
        message,
        foreign: Some(Box::new(ForeignEvent {
            data: record.data.into(),
            received_at: u64::try_from(received_at.as_millisecond()).ok()?,
            logger: None,
        })),
    };
    Some((at_millis, received))
}

fn update_of(happening: OtherEvent) -> Option<Update> {
    Some(match happening {
        OtherEvent::Connected { format, foreign } => Update::Connected {
            format: format.parse::<Format>().ok()?,
            is_codechat: !foreign,
        },
        OtherEvent::Gap { from, to, possible } => Update::Gap(match (from, to) {
            (Some(from), Some(to)) if from <= to => Gap::Known { from, to },
            (None, None) if possible => Gap::Possible,
            (None, None) => Gap::Unknown,
            _ => return None,
        }),
        OtherEvent::End { reason } => Update::End(End::from_name(&reason)?),
        OtherEvent::Gone => Update::Gone,
        OtherEvent::Heartbeat => Update::Heartbeat,
        OtherEvent::Note { text } => Update::Note(text),
        OtherEvent::Retrying {
            attempt,
            delay_millis,
            reason,
        } => Update::Retrying {
            attempt,
            delay: Duration::from_millis(delay_millis),
            reason,
        },
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Level, Outcome, Progress};

    fn message(id: &str, message: Message) -> Update {
        Update::Message(Box::new(Received {
            id: id.into(),
            event: message.event_name().to_owned().into(),
            time: id.parse().ok().map(|it: EventId| it.time),
            message,
            foreign: None,
        }))
    }

    fn foreign_event(name: &str, data: &str) -> Update {
        Update::Message(Box::new(Received {
            id: "urn:uuid:1".into(),
            event: name.to_owned().into(),
            time: None,
            message: Message {
                event: name.parse().ok(),
                ..Message::text(data)
            },
            foreign: Some(Box::new(ForeignEvent {
                data: data.into(),
                received_at: 1_732_262_400_123,
                logger: None,
            })),
        }))
    }

    #[test]
    fn every_update_is_read_back() {
        let full = Message {
            level: Some(Level::Warn),
            operation: Some("refresh".parse().unwrap()),
            progress: Some(Progress::new(3.0, Some(120.0), Some("files")).unwrap()),
            outcome: Some(Outcome::Failed),
            event: Some("step".parse().unwrap()),
            fields: Some(r#"{"a":1}"#.into()),
            ..Message::text("two\nlines \u{1b}[31m")
        };
        let format = Format::Json;
        let updates = [
            Update::Connected {
                format,
                is_codechat: true,
            },
            Update::Connected {
                format: Format::Text,
                is_codechat: false,
            },
            foreign_event("tick", "{\"a\": 1}\nb"),
            foreign_event("message", ""),
            foreign_event("end", "x"),
            message("17-1732262400123", full),
            message(
                "",
                Message::system(None, "Starting server communication..."),
            ),
            Update::Gap(Gap::BeforeJoining { to: 17 }),
            Update::Gap(Gap::Known { from: 18, to: 120 }),
            Update::Gap(Gap::Unknown),
            Update::Gap(Gap::Possible),
            Update::Heartbeat,
            Update::Note("the stream comes compressed".into()),
            Update::Retrying {
                attempt: 2,
                delay: Duration::from_millis(250),
                reason: "connection refused".into(),
            },
            Update::End(End::Stopped),
            Update::End(End::Idle),
            Update::End(End::Quit),
            Update::Gone,
        ];
        for (step, update) in updates.iter().enumerate() {
            let at = Duration::from_millis(1234 * step as u64);
            let line = String::from_utf8(of(update, at)).unwrap();
            assert!(!line.contains('\n'), "{line}");
            let read = LineReader::default().read(&line);
            assert_eq!(read, Some((at, update.clone())), "{line}");
        }
    }

    #[test]
    fn a_message_is_a_line_as_json_format_has_it() {
        let update = message("1-1732262400123", Message::text("hi"));
        let line = String::from_utf8(of(&update, Duration::from_millis(1500))).unwrap();
        assert_eq!(
            line,
            r#"{"atMillis":1500,"id":"1-1732262400123","time":"2024-11-22T08:00:00.123Z","message":"hi"}"#
        );
    }

    #[test]
    fn lines_of_json_format_have_the_times_of_the_server() {
        let mut reader = LineReader::default();
        for (line, millis) in [
            (
                r#"{"message":"Starting server communication...","system":true}"#,
                0,
            ),
            (r#"{"id":"1-1732262400123","message":"one"}"#, 0),
            (r#"{"id":"2-1732262401623","message":"two"}"#, 1500),
            (r#"{"message":"no time"}"#, 1500),
            (r#"{"id":"3-1732262402123","message":"three"}"#, 2000),
        ] {
            let (at, update) = reader.read(line).unwrap();
            assert_eq!(at, Duration::from_millis(millis), "{line}");
            assert!(matches!(update, Update::Message(_)));
        }
    }

    #[test]
    fn an_invalid_record_is_recognised() {
        for line in [
            "",
            "hello",
            "{}",
            "[]",
            r#"{"atMillis":-1,"message":"x"}"#,
            r#"{"atMillis":1}"#,
            r#"{"atMillis":1,"event":"party"}"#,
            r#"{"atMillis":1,"event":"gap","from":5,"to":3}"#,
            r#"{"atMillis":1,"event":"end","reason":"why not"}"#,
            r#"{"atMillis":1,"event":"gone""#,
        ] {
            assert_eq!(LineReader::default().read(line), None, "{line}");
        }
    }
}
