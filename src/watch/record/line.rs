//! The lines of a recording.
//!
//! A message is a line as `--format json` writes it, with `atMillis`, the time since the watch began, in
//! front. All else that happened on the stream has a line with `atMillis` and `event`, and no `message`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::subscribe::{Received, Update};
use crate::event::{End, EventId, Format, Gap, UnixMillis};
use crate::wire::json;

/// What happened, other than a message.
#[derive(Deserialize, Serialize)]
#[serde(
    tag = "event",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum Happening {
    Connected {
        format: String,
    },
    Gap {
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
    End {
        reason: String,
    },
    Gone,
    Heartbeat,
    Note {
        text: String,
    },
    Retrying {
        attempt: u32,
        delay_millis: u64,
        reason: String,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<T> {
    at_millis: u64,
    #[serde(flatten)]
    what: T,
}

/// The part of a message's line that the message itself does not have.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stamp {
    at_millis: Option<u64>,
    #[serde(default)]
    id: String,
}

/// An update as a line of a recording, without its end.
pub(super) fn of(update: &Update, at: Duration) -> Vec<u8> {
    let at_millis = millis(at);
    let what = match update {
        Update::Message(received) => {
            let object = json::stamped_object(&received.id, received.time, &received.message);
            let mut line = format!("{{\"atMillis\":{at_millis},").into_bytes();
            line.extend_from_slice(&object[1..]);
            return line;
        }
        Update::Connected { format } => Happening::Connected {
            format: format.as_str().into(),
        },
        Update::Gap(Gap::Known { from, to }) => Happening::Gap {
            from: Some(*from),
            to: Some(*to),
        },
        Update::Gap(Gap::BeforeJoining { to }) => Happening::Gap {
            from: Some(1),
            to: Some(*to),
        },
        Update::Gap(Gap::Possible | Gap::Unknown) => Happening::Gap {
            from: None,
            to: None,
        },
        Update::End(end) => Happening::End {
            reason: end.as_str().into(),
        },
        Update::Gone => Happening::Gone,
        Update::Heartbeat => Happening::Heartbeat,
        Update::Note(text) => Happening::Note { text: text.clone() },
        Update::Retrying {
            attempt,
            delay,
            reason,
        } => Happening::Retrying {
            attempt: *attempt,
            delay_millis: millis(*delay),
            reason: reason.clone(),
        },
    };
    serde_json::to_vec(&Line { at_millis, what }).expect("names and numbers can always be written")
}

/// Reads the lines of a recording, and of messages that were written with `--format json` or saved from the pane: of
/// these, the times at which the server took them tell when they happened.
#[derive(Debug, Default)]
pub(in crate::watch) struct LineReader {
    /// When the first message with a time was taken, and when that happened.
    first: Option<(UnixMillis, Duration)>,
    /// When the newest line happened.
    at: Duration,
    /// Whether a message or a gap was read.
    has_read: bool,
}

impl LineReader {
    /// The update that a line tells, and when it happened since the watch began; `None` if it is no such line.
    pub(in crate::watch) fn read(&mut self, line: &str) -> Option<(Duration, Update)> {
        let update = if let Some(message) = json::parse_event(line) {
            let stamp: Stamp = serde_json::from_str(line).ok()?;
            let time = stamp.id.parse().ok().map(|id: EventId| id.time);
            self.has_read |= !message.system;
            self.at = match (stamp.at_millis, time) {
                (Some(at), _) => Duration::from_millis(at),
                (None, Some(time)) => {
                    let (first, at) = *self.first.get_or_insert((time, self.at));
                    at + Duration::from_millis(time.saturating_sub(first))
                }
                (None, None) => self.at,
            };
            Update::Message(Box::new(Received {
                time,
                id: stamp.id,
                event: message.event_name().to_owned().into(),
                message,
            }))
        } else {
            let line: Line<Happening> = serde_json::from_str(line).ok()?;
            self.at = Duration::from_millis(line.at_millis);
            match happened(line.what)? {
                Update::Gap(Gap::Known { from: 1, to }) if !self.has_read => {
                    self.has_read = true;
                    Update::Gap(Gap::BeforeJoining { to })
                }
                update => update,
            }
        };
        Some((self.at, update))
    }
}

fn happened(happening: Happening) -> Option<Update> {
    Some(match happening {
        Happening::Connected { format } => Update::Connected {
            format: format.parse::<Format>().ok()?,
        },
        Happening::Gap { from, to } => Update::Gap(match (from, to) {
            (Some(from), Some(to)) if from <= to => Gap::Known { from, to },
            (None, None) => Gap::Unknown,
            _ => return None,
        }),
        Happening::End { reason } => Update::End(End::from_name(&reason)?),
        Happening::Gone => Update::Gone,
        Happening::Heartbeat => Update::Heartbeat,
        Happening::Note { text } => Update::Note(text),
        Happening::Retrying {
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
    use crate::message::{Level, Message, Outcome, Progress};

    fn message(id: &str, message: Message) -> Update {
        Update::Message(Box::new(Received {
            id: id.into(),
            event: message.event_name().to_owned().into(),
            time: id.parse().ok().map(|it: EventId| it.time),
            message,
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
            Update::Connected { format },
            message("17-1732262400123", full),
            message(
                "",
                Message::system(None, "Starting server communication..."),
            ),
            Update::Gap(Gap::BeforeJoining { to: 17 }),
            Update::Gap(Gap::Known { from: 18, to: 120 }),
            Update::Gap(Gap::Unknown),
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
    fn messages_alone_happen_when_the_server_took_them() {
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
    fn what_is_no_record_is_told_from_one() {
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
