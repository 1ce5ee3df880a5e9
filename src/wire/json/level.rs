//! The level of a message, in the words of common logging libraries.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::one_line;
use crate::message::{Level, Message};

/// Sets a message's level from a JSON value. An unknown level is kept in `fields.level`, unless that is there already.
pub fn set_level(message: &mut Message, json: &str) {
    match read_level(json) {
        ParsedLevel::Nothing => {}
        ParsedLevel::Level(level) => message.level = Some(level),
        ParsedLevel::Unknown => {
            let fields = with_level(message.fields.as_deref(), &one_line(json));
            message.fields = Some(fields);
        }
    }
}

/// A parsed level.
pub(in crate::wire) enum ParsedLevel {
    Nothing,
    Level(Level),
    Unknown,
}

/// Parses a JSON value: a word or a number.
pub(in crate::wire) fn read_level(json: &str) -> ParsedLevel {
    let word = match serde_json::from_str(&one_line(json)) {
        Ok(Value::Null) => return ParsedLevel::Nothing,
        Ok(Value::String(word)) if word.trim().is_empty() => return ParsedLevel::Nothing,
        Ok(Value::String(word)) => word,
        // A whole float is formatted without `.0`.
        Ok(Value::Number(number)) => number.as_f64().unwrap_or_default().to_string(),
        _ => return ParsedLevel::Unknown,
    };
    Level::said(&word).map_or(ParsedLevel::Unknown, ParsedLevel::Level)
}

/// Returns the fields, an object, with a first member `level`, unless they have one.
fn with_level(fields: Option<&str>, json: &str) -> Box<str> {
    let members = fields.map_or("}", |it| it[1..].trim_start());
    let known = fields.and_then(|it| serde_json::from_str::<BTreeMap<String, &RawValue>>(it).ok());
    if let (Some(fields), Some(known)) = (fields, known)
        && known.contains_key("level")
    {
        return fields.into();
    }
    let comma = if members.starts_with('}') { "" } else { "," };
    format!("{{\"level\":{json}{comma}{members}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::parse_message;

    #[test]
    fn a_known_level_is_used_and_an_unknown_one_is_kept() {
        for (json, fields, level, kept) in [
            (r#""WARN""#, None, Some(Level::Warn), None),
            ("30", None, Some(Level::Info), None),
            ("30.0", None, Some(Level::Info), None),
            (r#""30""#, None, Some(Level::Info), None),
            ("null", None, None, None),
            (r#""""#, None, None, None),
            (r#""loud""#, None, None, Some(r#"{"level":"loud"}"#)),
            ("35", None, None, Some(r#"{"level":35}"#)),
            ("1e999", None, None, Some(r#"{"level":1e999}"#)),
            ("true", Some("{ }"), None, Some(r#"{"level":true}"#)),
            (
                "[\n1]",
                Some(r#"{"a":1}"#),
                None,
                Some(r#"{"level":[ 1],"a":1}"#),
            ),
            ("{}", Some(r#"{"level":1}"#), None, Some(r#"{"level":1}"#)),
            (r#""\ud83d""#, None, None, Some(r#"{"level":"\ufffd"}"#)),
            (
                r#""error""#,
                Some(r#"{"level":1}"#),
                Some(Level::Error),
                Some(r#"{"level":1}"#),
            ),
        ] {
            let fields = fields.map_or(String::new(), |it| format!(r#","fields":{it}"#));
            let json = format!(r#"{{"message":"a","level":{json}{fields}}}"#);
            let message = parse_message(&json).unwrap();
            assert_eq!(
                (message.level, message.fields.as_deref()),
                (level, kept),
                "{json}"
            );
        }
    }
}
