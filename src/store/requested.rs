//! Control requests in the form of the scripts: a level or `-`, a space, then what to cancel: `-` for nothing, `*` for
//! any operation, or `=` and an operation's name.

use crate::control::{Cancel, Change, ControlRequest, Requested};
use crate::message::Level;

const NONE: &str = "-";
/// The argument that leaves a part unchanged.
const KEEP: &str = "keep";

/// Parses the form of the scripts.
pub(super) fn unpack(packed: &str) -> Option<Requested> {
    let (level, cancel) = packed.split_once(' ')?;
    let level = match level {
        NONE => None,
        level => Some(level.parse::<Level>().ok()?),
    };
    let operation = match (cancel, cancel.strip_prefix('=')) {
        (NONE, _) => {
            return Some(Requested {
                level,
                cancel: None,
            });
        }
        ("*", _) => None,
        (_, operation) => Some(operation?.parse().ok()?),
    };
    let cancel = Some(Cancel { operation });
    Some(Requested { level, cancel })
}

/// Returns a script's arguments for a request: the level, and what to cancel.
pub(super) fn pack(request: ControlRequest) -> [String; 2] {
    let level = match request.level {
        Change::Keep => KEEP.into(),
        Change::Clear => NONE.into(),
        Change::Set(level) => level.to_string(),
    };
    let cancel = match request.cancel {
        Change::Keep => KEEP.into(),
        Change::Clear => NONE.into(),
        Change::Set(Cancel { operation: None }) => "*".into(),
        Change::Set(Cancel {
            operation: Some(operation),
        }) => format!("={}", operation.as_str()),
    };
    [level, cancel]
}
