//! Events of servers that are not codechat's, as objects: what was mapped, under the names of a codechat stream, and
//! the data unchanged.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Object, rfc3339, to_vec};
use crate::event::UnixMillis;
use crate::message::Message;
use crate::wire::surrogates::{parse_repaired, repaired};

/// The name of an event that has none (WHATWG HTML 9.2.6).
const NAMELESS: &str = "message";

/// Upper bound of an object that is written on several lines, in bytes.
const PRETTY_MAX: usize = 256 << 10;
/// The deepest level that is indented.
const INDENTED: usize = 20;

/// An event of a server that is not codechat's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForeignObject<'a> {
    /// When it was received.
    pub received_at: UnixMillis,
    /// The last event ID as of this event; empty if there is none.
    pub id: &'a str,
    /// Its name.
    pub event: &'a str,
    /// The time that it gives.
    pub time: Option<UnixMillis>,
    /// What was mapped from it.
    pub message: &'a Message,
    /// Its data.
    pub data: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(flatten)]
    object: Object<'a>,
    data: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Box<RawValue>>,
}

/// Returns an event as `--format json` writes it.
#[must_use]
pub fn foreign_object(foreign: ForeignObject<'_>) -> Vec<u8> {
    let mut object = Object::of(foreign.message);
    object.time = foreign.time.map(rfc3339);
    object.event = None;
    to_vec(&Whole {
        received_at: rfc3339(foreign.received_at),
        id: some(foreign.id),
        event: name(foreign.event),
        object,
        data: foreign.data,
        json: compact(foreign.data).and_then(|it| RawValue::from_string(it).ok()),
    })
}

/// An event as a recording keeps it, without what was mapped, which can be mapped again.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForeignRecord {
    /// When it was received, in RFC 3339.
    pub received_at: String,
    /// The last event ID as of this event; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its name; `None` for one without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Its data.
    pub data: String,
    /// Whether the watcher or the server added it, not a publisher.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system: bool,
}

impl ForeignRecord {
    /// Returns the record of an event.
    #[must_use]
    pub fn of(foreign: ForeignObject<'_>) -> Self {
        Self {
            received_at: rfc3339(foreign.received_at),
            id: foreign.id.into(),
            event: name(foreign.event).map(Into::into),
            data: foreign.data.into(),
            system: foreign.message.system,
        }
    }

    /// Returns its name.
    #[must_use]
    pub fn event_name(&self) -> &str {
        self.event.as_deref().unwrap_or(NAMELESS)
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|it| !it.is_empty())
}

fn name(event: &str) -> Option<&str> {
    Some(event).filter(|it| *it != NAMELESS)
}

/// Returns a JSON object or array without white space between its tokens; `None` if it is neither. Tokens are copied,
/// so that no number is rounded.
///
/// Unpaired surrogates, which some readers reject, become U+FFFD.
#[must_use]
pub fn compact(json: &str) -> Option<String> {
    let is_container = json.trim_start().starts_with(['{', '[']);
    if !is_container || serde_json::from_str::<IgnoredAny>(json).is_err() {
        return None;
    }
    let json = &*repaired(json).map_or(Cow::from(json), Cow::from);
    let mut out = String::with_capacity(json.len());
    for_each_letter(json, |letter, _| out.push(letter));
    Some(out)
}

/// Returns a JSON object or array on several indented lines; `None` if it is neither. The order of members stays, and
/// no number is rounded. Beyond 256 KiB it is cut, with a note.
#[must_use]
pub fn pretty(json: &str) -> Option<String> {
    let json = compact(json)?;
    let mut out = String::new();
    let (mut depth, mut before) = (0_usize, ' ');
    for_each_letter(&json, |letter, in_string| {
        if out.len() > PRETTY_MAX {
            return;
        }
        let is_close = !in_string && matches!(letter, '}' | ']');
        let is_empty = is_close && matches!(before, '{' | '[');
        depth -= usize::from(is_close);
        if !is_empty && (is_close || matches!(before, '{' | '[' | ',')) {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth.min(INDENTED)));
        }
        out.push(letter);
        if !in_string {
            depth += usize::from(matches!(letter, '{' | '['));
            out.extend((letter == ':').then_some(' '));
        }
        // Within a string, nothing is a bracket or a comma.
        before = if in_string { ' ' } else { letter };
    });
    if out.len() > PRETTY_MAX {
        out.push_str("\n… (the rest is not shown)");
    }
    Some(out)
}

/// Parses data that is one JSON object.
#[must_use]
pub fn parse_object(json: &str) -> Option<Map<String, Value>> {
    parse_repaired(json, |json| serde_json::from_str(json)).ok()
}

/// Parses a JSON string.
#[must_use]
pub fn parse_text(json: &str) -> Option<String> {
    parse_repaired(json, |json| serde_json::from_str(json)).ok()
}

/// Returns the value at a path of names and indices in a JSON document, as it is written there.
#[must_use]
pub fn find<'a>(document: &'a str, path: &[String]) -> Option<&'a str> {
    let Some((first, rest)) = path.split_first() else {
        return Some(document.trim());
    };
    let inner = if document.trim_start().starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(document).ok()?;
        *items.get(first.parse::<usize>().ok()?)?
    } else {
        let members: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(document).ok()?;
        *members.get(&**first)?
    };
    find(inner.get(), rest)
}

/// Passes each character except white space between tokens to `take`, and whether it is within a string.
fn for_each_letter(json: &str, mut take: impl FnMut(char, bool)) {
    let (mut in_string, mut is_escaped) = (false, false);
    for letter in json.chars() {
        if in_string {
            take(letter, true);
            in_string = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
        } else if !matches!(letter, ' ' | '\t' | '\n' | '\r') {
            take(letter, false);
            in_string = letter == '"';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Level, Progress};

    #[test]
    fn an_event_is_written_with_its_exact_data() {
        let message = Message {
            level: Some(Level::Warn),
            progress: Some(Progress::new(3.0, Some(4.0), None).unwrap()),
            event: Some("tick".parse().unwrap()),
            ..Message::text("disk")
        };
        let data = "{\"msg\": \"disk\",\n \"n\": 12345678901234567890.10}";
        let object = foreign_object(ForeignObject {
            received_at: 1_732_262_400_123,
            id: "urn:uuid:1",
            event: "tick",
            time: Some(1_732_262_400_000),
            message: &message,
            data,
        });
        assert_eq!(
            String::from_utf8(object).unwrap(),
            r#"{"receivedAt":"2024-11-22T08:00:00.123Z","id":"urn:uuid:1","event":"tick","time":"2024-11-22T08:00:00.000Z","message":"disk","level":"warn","progress":{"current":3,"total":4},"data":"{\"msg\": \"disk\",\n \"n\": 12345678901234567890.10}","json":{"msg":"disk","n":12345678901234567890.10}}"#
        );
    }

    #[test]
    fn an_object_is_indented_with_its_order_and_its_numbers() {
        let json = r#"{"b":[1,{"a":1.10},[],{}],"a":"{,\"]","n":12345678901234567890}"#;
        let lines = [
            "{",
            r#"  "b": ["#,
            "    1,",
            "    {",
            r#"      "a": 1.10"#,
            "    },",
            "    [],",
            "    {}",
            "  ],",
            r#"  "a": "{,\"]","#,
            r#"  "n": 12345678901234567890"#,
            "}",
        ];
        assert_eq!(pretty(json).unwrap(), lines.join("\n"));
        let deep = ["[".repeat(100), "]".repeat(100)].concat();
        let deep = deep.replace("[]", &["[", &vec!["1"; 1 << 20].join(","), "]"].concat());
        let cut = pretty(&deep).unwrap();
        assert!(cut.len() < PRETTY_MAX + 100, "{}", cut.len());
        assert!(cut.ends_with("(the rest is not shown)"));
        assert_eq!(pretty("{}").as_deref(), Some("{}"));
        assert_eq!(pretty("text"), None);
    }

    #[test]
    fn only_an_object_or_an_array_is_written_as_json() {
        for (data, json) in [
            (
                r#"{"a b" : "c \" d\\" , "e":[ 1 , 2 ]}"#,
                Some(r#"{"a b":"c \" d\\","e":[1,2]}"#),
            ),
            (" [ ] ", Some("[]")),
            ("12", None),
            ("\"text\"", None),
            ("{\"a\":", None),
            ("{} {}", None),
            ("", None),
        ] {
            assert_eq!(compact(data).as_deref(), json, "{data}");
        }
    }
}
