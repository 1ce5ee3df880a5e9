//! Lenient parsing of the messages in a server's stream.

use std::borrow::Cow;
use std::str::FromStr;

use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields;
use crate::message::{Invalid, Message, Progress};
use crate::wire::surrogates::parse_repaired;

/// Parses a message that a server wrote; ignores unknown members and malformed optional ones. Returns `None` if there
/// is no text.
#[must_use]
pub fn parse_event(json: &str) -> Option<Message> {
    if let Some(text) = only_text(json) {
        return Some(Message::text(text));
    }
    parse_repaired(json, |json| streamed(json).ok_or(())).ok()
}

fn streamed(json: &str) -> Option<Message> {
    let streamed: Streamed = serde_json::from_str(json).ok()?;
    Some(Message {
        text: streamed.message.into_owned(),
        level: name(streamed.level),
        operation: name(streamed.operation),
        progress: lenient::<LenientProgress>(streamed.progress).and_then(|it| it.check().ok()),
        outcome: name(streamed.outcome),
        event: name(streamed.event),
        fields: streamed.fields.and_then(|it| fields(it).ok()),
        system: lenient(streamed.system).unwrap_or_default(),
    })
}

/// Parses most messages fast: nothing but a text, written by [`super::event_object`], without a character
/// that JSON escapes. It takes a tenth of the time.
fn only_text(json: &str) -> Option<&str> {
    // Without an early exit, so that the compiler can vectorise the loop.
    let is_escape = |it: u8| it < b' ' || it == b'\\';
    if json.bytes().fold(false, |any, it| any | is_escape(it)) {
        return None;
    }
    let id = json.strip_prefix(r#"{"id":""#)?;
    let (_, time) = string(id)?;
    let (_, text) = string(time.strip_prefix(r#","time":""#)?)?;
    let (text, end) = string(text.strip_prefix(r#","message":""#)?)?;
    (end == "}").then_some(text)
}

/// Splits off a string without escapes at its closing quote.
fn string(text: &str) -> Option<(&str, &str)> {
    let end = memchr(b'"', text.as_bytes())?;
    Some((&text[..end], &text[end + 1..]))
}

/// Parses an optional member; `None` if it is malformed.
fn lenient<'a, T: Deserialize<'a>>(member: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(member?.get()).ok()
}

/// Parses an optional member that is a name.
fn name<T: FromStr>(member: Option<&RawValue>) -> Option<T> {
    lenient::<Cow<str>>(member)?.parse().ok()
}

/// The optional members are parsed one by one later: if a newer server writes one of them differently, the message is
/// still read.
#[derive(Deserialize)]
struct Streamed<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    level: Option<&'a RawValue>,
    #[serde(borrow)]
    operation: Option<&'a RawValue>,
    #[serde(borrow)]
    progress: Option<&'a RawValue>,
    #[serde(borrow)]
    outcome: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
}

/// A progress, possibly with unknown members.
#[derive(Deserialize)]
struct LenientProgress {
    current: f64,
    total: Option<f64>,
    unit: Option<String>,
}

impl LenientProgress {
    fn check(self) -> Result<Progress, Invalid> {
        Progress::new(self.current, self.total, self.unit.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{message::Level, wire::json::stamped_object};

    #[test]
    fn unknown_members_of_a_newer_server_lose_no_message() {
        let message = |json: &str| parse_event(json).unwrap();
        let newer =
            r#"{"message":"a","progress":{"current":3,"total":4,"rate":1.5},"colour":"red"}"#;
        let known = r#"{"message":"a","progress":{"current":3,"total":4}}"#;
        assert_eq!(message(newer), message(known));
        assert!(message(newer).progress.is_some());
        let odd = r#"{"message":"a","level":3,"operation":{},"progress":"half","outcome":"so-so","event":[],"fields":1,"system":"no"}"#;
        assert_eq!(message(odd), Message::text("a"));
        let null = r#"{"message":"a","level":null,"progress":null,"system":null}"#;
        assert_eq!(message(null), Message::text("a"));
    }

    #[test]
    fn only_a_text_without_escapes_is_read_directly() {
        let stamped = |message: &Message| {
            String::from_utf8(stamped_object("17-1732262400123", Some(1), message)).unwrap()
        };
        for (text, is_short) in [
            ("", true),
            ("plain, ü and \u{1f600}", true),
            ("\u{7f}", true),
            ("a \"quote\"", false),
            ("back\\slash", false),
            ("two\nlines", false),
            ("\u{1b}[31m", false),
            (r#"","message":""#, false),
        ] {
            let message = Message::text(text);
            let json = stamped(&message);
            assert_eq!(only_text(&json).is_some(), is_short, "{json}");
            assert_eq!(parse_event(&json), Some(message));
        }
        let message = Message::system(Some(Level::Info), "a");
        assert_eq!(parse_event(&stamped(&message)), Some(message));
    }
}
