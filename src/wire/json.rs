//! Message objects: parsing and writing.
//!
//! Publishers' objects are parsed strictly (an unknown member is an error that names it), a server's leniently, so that
//! an older watcher understands a newer server.

mod foreign;
mod gap;
mod level;
mod streamed;

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

use super::object::FromObject;
use super::surrogates::{parse_repaired, repaired};
use crate::event::{Event, UnixMillis};
use crate::message::{EventName, Invalid, Level, Message, Operation, Outcome, Progress};

pub use foreign::{
    ForeignObject, ForeignRecord, compact, find, foreign_object, parse_object, parse_text, pretty,
};
pub use gap::{gap_object, parse_gap};
pub use level::set_level;
pub(super) use level::{ParsedLevel, read_level};
pub use streamed::parse_event;

/// Why JSON is not a message. The text names the member or the place.
#[derive(Debug, Error)]
pub enum BadMessage {
    /// Not JSON, a member of the wrong type, an unknown or a missing member.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A member that breaks its rule.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// `fields` that are not an object.
    #[error("fields must be an object")]
    Fields,
    /// An NDJSON line that is neither an object nor a string.
    #[error("a line must be a JSON object with a \"message\", or a JSON string")]
    Neither,
}

/// Parses a message object.
///
/// # Errors
/// [`BadMessage`] if it is not one.
pub fn parse_message(json: &str) -> Result<Message, BadMessage> {
    parse_repaired(json, |json| {
        let FromObject(published) = serde_json::from_str::<FromObject<Published>>(json)?;
        published.into_message()
    })
}

/// Parses a line of NDJSON: a message object, or a string that is the message's text.
///
/// # Errors
/// [`BadMessage`] if it is neither.
pub fn parse_line(line: &str) -> Result<Message, BadMessage> {
    match line.trim_start().as_bytes().first() {
        Some(b'"') => Ok(Message::text(parse_repaired(line, |line| {
            serde_json::from_str::<String>(line)
        })?)),
        Some(b'{') => parse_message(line),
        _ => Err(BadMessage::Neither),
    }
}

/// Appends a message as a publisher writes it in NDJSON, without a line end: a bare string if the text is all.
///
/// # Panics
/// Never: every message can be written.
pub fn push_publication(line: &mut Vec<u8>, message: &Message) {
    let written = if message.is_plain() {
        serde_json::to_writer(line, &message.text)
    } else {
        serde_json::to_writer(line, &Object::of(message))
    };
    written.expect(WRITABLE);
}

/// Appends a message as a line of NDJSON.
pub fn push_line(lines: &mut Vec<u8>, message: &Message) {
    push_publication(lines, message);
    lines.push(b'\n');
}

/// Returns a message as a publisher writes it.
#[must_use]
pub fn publication(message: &Message) -> Vec<u8> {
    to_vec(&Object::of(message))
}

/// Returns a message as a stream writes it in JSON.
#[must_use]
pub fn event_object(event: &Event) -> Vec<u8> {
    stamped_object(&event.id.to_string(), Some(event.id.time), &event.message)
}

/// Returns a message with this `id`, and its time if known.
#[must_use]
pub fn stamped_object(id: &str, time: Option<UnixMillis>, message: &Message) -> Vec<u8> {
    let mut object = Object::of(message);
    object.id = Some(id).filter(|it| !it.is_empty());
    object.time = time.map(rfc3339);
    to_vec(&object)
}

/// Formats a time: RFC 3339, milliseconds, UTC.
#[must_use]
pub fn rfc3339(time: UnixMillis) -> String {
    /// The last millisecond of the year 9999: RFC 3339 ends there.
    const LAST: UnixMillis = 253_402_300_799_999;
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(time.min(LAST));
    humantime::format_rfc3339_millis(time).to_string()
}

const WRITABLE: &str = "text, numbers and objects can always be written";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    level: Option<&'a RawValue>,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
    progress: Option<FromObject<ProgressObject>>,
    #[serde(borrow)]
    outcome: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
}

impl Published<'_> {
    fn into_message(self) -> Result<Message, BadMessage> {
        let mut message = Message {
            level: None,
            operation: self.operation.map(|it| it.parse()).transpose()?,
            progress: self.progress.map(|it| it.0.check()).transpose()?,
            outcome: self.outcome.map(|it| it.parse()).transpose()?,
            event: self.event.map(|it| it.parse()).transpose()?,
            fields: self.fields.map(fields).transpose()?,
            text: self.message.into_owned(),
            system: false,
        };
        if let Some(said) = self.level {
            set_level(&mut message, said.get());
        }
        Ok(message)
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ProgressObject {
    #[serde(serialize_with = "number")]
    current: f64,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "optional_number"
    )]
    total: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

impl ProgressObject {
    fn check(self) -> Result<Progress, Invalid> {
        Progress::new(self.current, self.total, self.unit.as_deref())
    }
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    system: bool,
}

impl<'a> Object<'a> {
    fn of(message: &'a Message) -> Self {
        Self {
            id: None,
            time: None,
            message: &message.text,
            level: message.level.map(Level::as_str),
            operation: message.operation.as_ref().map(Operation::as_str),
            progress: message.progress.as_ref().map(|it| ProgressObject {
                current: it.current(),
                total: it.total(),
                unit: it.unit().map(Into::into),
            }),
            outcome: message.outcome.map(Outcome::as_str),
            event: message.event.as_ref().map(EventName::as_str),
            fields: message
                .fields
                .as_ref()
                .and_then(|it| serde_json::from_str(it).ok()),
            system: message.system,
        }
    }
}

/// Checks that `fields` are an object, and puts them on one line: in valid JSON, a line end can only be between tokens,
/// where a space means the same. Unpaired surrogates, which some readers reject, become U+FFFD.
fn fields(raw: &RawValue) -> Result<Box<str>, BadMessage> {
    let text = raw.get();
    if text.starts_with('{') {
        Ok(one_line(text))
    } else {
        Err(BadMessage::Fields)
    }
}

fn one_line(json: &str) -> Box<str> {
    let line = json.replace(['\n', '\r'], " ");
    repaired(&line).unwrap_or(line).into()
}

/// Writes a whole number without the `.0` of a float.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    /// Up to here, every whole number is exact in a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53")]
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

#[expect(clippy::ref_option, reason = "serde hands a reference")]
fn optional_number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => number(value, serializer),
        None => serializer.serialize_none(),
    }
}

fn to_vec(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect(WRITABLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventId;

    #[test]
    fn a_whole_message_object_is_read_and_written_back() {
        let json = r#"{"message":"Processed file 3 of 120","level":"info","operation":"refresh-repo","progress":{"current":3,"total":120,"unit":"files"},"outcome":"ok","event":"step","fields":{"repo":"demo"}}"#;
        let message = parse_message(json).unwrap();
        assert_eq!(String::from_utf8(publication(&message)).unwrap(), json);
        assert_eq!(parse_event(json), Some(message));
    }

    #[test]
    fn a_streamed_object_has_id_and_time() {
        let event = Event {
            id: EventId {
                seq: 17,
                time: 1_732_262_400_123,
            },
            message: Message::text("hi"),
        };
        assert_eq!(
            String::from_utf8(event_object(&event)).unwrap(),
            r#"{"id":"17-1732262400123","time":"2024-11-22T08:00:00.123Z","message":"hi"}"#
        );
    }

    #[test]
    fn an_unknown_member_is_named() {
        let error = parse_message(r#"{"message":"a","colour":"red"}"#).unwrap_err();
        assert!(error.to_string().contains("`colour`"), "{error}");
        let error = parse_message(r#"{"message":"a","system":true}"#).unwrap_err();
        assert!(error.to_string().contains("`system`"), "{error}");
    }

    #[test]
    fn invalid_members_are_refused_with_their_rule() {
        for (json, says) in [
            (r#"{"level":"info"}"#, "missing field `message`"),
            (r#"{"message":3}"#, "expected a string"),
            ("null", "expected an object"),
            (r#"["a",null,null,null,null,null,null]"#, "an object"),
            (r#"{"message":"a","progress":[1,2,null]}"#, "an object"),
            (
                r#"{"message":"a","fields":[1]}"#,
                "fields must be an object",
            ),
            (
                r#"{"message":"a","progress":{"current":-1}}"#,
                "progress must be",
            ),
            (r#"{"message":"a","event":"gap"}"#, "event must be"),
            (r#"{"message":"a"} x"#, "trailing characters"),
        ] {
            let error = parse_message(json).unwrap_err().to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
    }

    #[test]
    fn a_line_is_an_object_or_a_string() {
        assert_eq!(parse_line(r#""a\n\u00fc""#).unwrap(), Message::text("a\nü"));
        assert_eq!(parse_line(r#" {"message":""}"#).unwrap(), Message::text(""));
        assert!(matches!(parse_line("plain"), Err(BadMessage::Neither)));
        assert!(matches!(parse_line("12"), Err(BadMessage::Neither)));
    }

    #[test]
    fn fields_over_several_lines_are_written_on_one() {
        let message =
            parse_message("{\"message\":\"a\",\"fields\":{\n \"k\":\r\n \"v\\n\"}}").unwrap();
        assert!(!message.fields.as_ref().unwrap().contains(['\n', '\r']));
        assert!(message.fields.unwrap().contains(r#""v\n""#));
    }

    #[test]
    fn half_a_surrogate_pair_loses_no_message() {
        let cut = Message::text("cut \u{fffd}");
        assert_eq!(parse_line(r#""cut \ud83d""#).unwrap(), cut);
        assert_eq!(parse_message(r#"{"message":"cut \udce9"}"#).unwrap(), cut);
        assert_eq!(parse_event(r#"{"message":"cut \ud83d"}"#), Some(cut));
        let message = parse_message(r#"{"message":"a","fields":{"\ud83d":"\ud83d\ude00"}}"#);
        let fields = message.unwrap().fields.unwrap();
        assert_eq!(&*fields, r#"{"\ufffd":"\ud83d\ude00"}"#);
        assert!(parse_message(r#"{"message":"\ud83d"#).is_err());
    }
}
