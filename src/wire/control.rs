//! Control requests and control events, encoded as JSON.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::json::{self, ParsedLevel};
use super::object::FromObject;
use super::surrogates::parse_repaired;
use crate::control::{Cancel, Change, ControlRequest, ControlState, Requested};
use crate::message::{Invalid, Level, Operation};

/// Why JSON is not a control request. The text names the member.
#[derive(Debug, Error)]
pub enum BadRequest {
    /// Not JSON, a member of the wrong type, or an unknown member.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// The operation's name breaks its rule.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// An operation, but no `cancel`.
    #[error("operation names what to cancel, so it needs \"cancel\":true")]
    OnlyOperation,
    /// No member at all.
    #[error(
        "it requests nothing; send a level, as in {{\"level\":\"debug\"}}, or {{\"cancel\":true}}"
    )]
    Nothing,
}

/// Parses a control request.
///
/// # Errors
/// [`BadRequest`] if it is not a control request.
pub fn parse_request(json: &str) -> Result<ControlRequest, BadRequest> {
    parse_repaired(json, read_request)
}

fn read_request(json: &str) -> Result<ControlRequest, BadRequest> {
    let FromObject(asked) = serde_json::from_str::<FromObject<RequestObject>>(json)?;
    let operation = asked.operation.map(|it| it.parse()).transpose()?;
    let cancel = match asked.cancel {
        Some(true) => Change::Set(Cancel { operation }),
        _ if operation.is_some() => return Err(BadRequest::OnlyOperation),
        Some(false) => Change::Clear,
        None => Change::Keep,
    };
    let request = ControlRequest {
        level: asked.level,
        cancel,
    };
    if request == ControlRequest::default() {
        return Err(BadRequest::Nothing);
    }
    Ok(request)
}

/// Returns a control request as an object.
///
/// # Panics
/// Never: names and flags can be written.
#[must_use]
pub fn request_object(request: &ControlRequest) -> Vec<u8> {
    let mut object = serde_json::Map::new();
    match request.level {
        Change::Keep => {}
        Change::Set(level) => drop(object.insert("level".into(), level.as_str().into())),
        Change::Clear => drop(object.insert("level".into(), serde_json::Value::Null)),
    }
    if request.cancel != Change::Keep {
        let is_wanted = matches!(request.cancel, Change::Set(_));
        object.insert("cancel".into(), is_wanted.into());
    }
    if let Change::Set(Cancel {
        operation: Some(operation),
    }) = &request.cancel
    {
        object.insert("operation".into(), operation.as_str().into());
    }
    serde_json::to_vec(&object).expect("names and flags can be written")
}

/// Returns the state that is sent to publishers, as an object.
///
/// # Panics
/// Never: names and numbers can be written.
#[must_use]
pub fn state_object(state: &ControlState) -> Vec<u8> {
    let Requested { level, cancel } = &state.requested;
    let operation = cancel.as_ref().and_then(|it| it.operation.as_ref());
    let object = StateObject {
        subscribers: state.subscribers,
        level: level.map(|it| it.as_str().into()),
        cancel: cancel.is_some(),
        operation: operation.map(|it| it.as_str().into()),
    };
    serde_json::to_vec(&object).expect("names and numbers can be written")
}

/// Parses the state that a server sends to publishers, leniently; `None` if it is something else.
#[must_use]
pub fn parse_state(json: &str) -> Option<ControlState> {
    let object: StateObject = serde_json::from_str(json).ok()?;
    Some(ControlState {
        subscribers: object.subscribers,
        requested: requested(
            object.level.as_deref(),
            object.cancel,
            object.operation.as_deref(),
        ),
    })
}

/// Returns the requests, from their three members.
#[must_use]
pub fn requested(level: Option<&str>, cancel: bool, operation: Option<&str>) -> Requested {
    Requested {
        level: level.and_then(|it| it.parse().ok()),
        cancel: cancel.then(|| Cancel {
            operation: operation.and_then(|it| it.parse::<Operation>().ok()),
        }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestObject<'a> {
    #[serde(default, deserialize_with = "level")]
    level: Change<Level>,
    cancel: Option<bool>,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
}

/// Parses a level: `null` withdraws it, an absent member leaves it unchanged.
fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Change<Level>, D::Error> {
    let Some(json) = Option::<&'de RawValue>::deserialize(deserializer)? else {
        return Ok(Change::Clear);
    };
    match json::read_level(json.get()) {
        ParsedLevel::Level(level) => Ok(Change::Set(level)),
        ParsedLevel::Nothing | ParsedLevel::Unknown => {
            let invalid = Invalid::Level(json.get().trim_matches('"').chars().take(40).collect());
            Err(serde::de::Error::custom(invalid))
        }
    }
}

#[derive(Deserialize, Serialize)]
struct StateObject<'a> {
    subscribers: usize,
    #[serde(borrow)]
    level: Option<Cow<'a, str>>,
    #[serde(default)]
    cancel: bool,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_written() {
        for json in [
            r#"{"level":"debug"}"#,
            r#"{"level":null}"#,
            r#"{"cancel":true}"#,
            r#"{"cancel":false}"#,
            r#"{"level":"trace","cancel":true,"operation":"build"}"#,
        ] {
            let request = parse_request(json).unwrap();
            let written = String::from_utf8(request_object(&request)).unwrap();
            assert_eq!(parse_request(&written).unwrap(), request, "{json}");
            let members = |it: &str| serde_json::from_str::<serde_json::Value>(it).unwrap();
            assert_eq!(members(&written), members(json));
        }
    }

    #[test]
    fn a_request_for_nothing_is_refused_with_the_reason() {
        for (json, named) in [
            (r#"{"levle":"debug"}"#, "levle"),
            (r#"{"level":"loud"}"#, "loud"),
            (r#"{"level":""}"#, "level"),
            (r#"{"level":[1]}"#, "level"),
            (r#"{"cancel":1}"#, "boolean"),
            (r#"{"operation":"a"}"#, "operation"),
            (r#"{"cancel":true,"operation":""}"#, "operation"),
            ("{}", "nothing"),
            ("null", "an object"),
            (r#"["debug",true,"a"]"#, "an object"),
        ] {
            let error = parse_request(json).unwrap_err().to_string();
            assert!(error.contains(named), "{json}: {error}");
        }
    }

    #[test]
    fn a_state_is_read_as_it_is_written() {
        let state = ControlState {
            subscribers: 2,
            requested: requested(Some("debug"), true, Some("build")),
        };
        let written = String::from_utf8(state_object(&state)).unwrap();
        assert_eq!(
            written,
            r#"{"subscribers":2,"level":"debug","cancel":true,"operation":"build"}"#
        );
        assert_eq!(parse_state(&written), Some(state));
        let nobody = r#"{"subscribers":0,"level":null,"cancel":false,"operation":null}"#;
        assert_eq!(parse_state(nobody), Some(ControlState::default()));
        assert_eq!(parse_state("[]"), None);
    }
}
