//! Gap objects: parsing and writing.

use serde::{Deserialize, Serialize};

use super::to_vec;
use crate::event::Gap;

/// Returns a gap as a stream writes it.
#[must_use]
pub fn gap_object(gap: Gap) -> Vec<u8> {
    to_vec(&match gap {
        Gap::Known { from, to } => GapObject {
            from: Some(from),
            to: Some(to),
            missed: gap.missed(),
        },
        Gap::BeforeJoining { to } => GapObject {
            from: Some(1),
            to: Some(to),
            missed: gap.missed(),
        },
        Gap::Possible | Gap::Unknown => GapObject {
            from: None,
            to: None,
            missed: None,
        },
    })
}

/// Parses a gap; `None` if it is not one.
#[must_use]
pub fn parse_gap(json: &str) -> Option<Gap> {
    let object: GapObject = serde_json::from_str(json).ok()?;
    match (object.from, object.to) {
        (Some(from), Some(to)) if from <= to => Some(Gap::Known { from, to }),
        (None, None) => Some(Gap::Unknown),
        _ => None,
    }
}

#[derive(Deserialize, Serialize)]
struct GapObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    missed: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_read_back() {
        for gap in [Gap::Known { from: 18, to: 120 }, Gap::Unknown] {
            let json = String::from_utf8(gap_object(gap)).unwrap();
            assert_eq!(parse_gap(&json), Some(gap));
        }
        assert_eq!(gap_object(Gap::Unknown), br#"{"missed":null}"#);
        assert_eq!(
            gap_object(Gap::Known { from: 18, to: 120 }),
            br#"{"from":18,"to":120,"missed":103}"#
        );
    }
}
