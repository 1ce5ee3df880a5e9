//! What a stream's head says about its client's past: a structured field (RFC 9651), an item with parameters.
//!
//! `new` · `known` · `ended; reason=idle; at=@1732262400`

use crate::event::{ClientPast, End};

/// Header of a stream: what the server knows of the client.
pub const PAST_HEADER: &str = "sse-client-past";

const NEW: &str = "new";
const KNOWN: &str = "known";
const ENDED: &str = "ended";

/// Returns the field's value.
#[must_use]
pub fn field(past: ClientPast) -> String {
    match past {
        ClientPast::New => NEW.into(),
        ClientPast::Known => KNOWN.into(),
        ClientPast::Ended { end, at } => {
            format!("{ENDED}; reason={}; at=@{}", end.as_str(), at / 1000)
        }
    }
}

/// Parses a field's value; `None` if it is unknown.
#[must_use]
pub fn parse(field: &str) -> Option<ClientPast> {
    let mut parts = field.split(';').map(str::trim);
    match parts.next()? {
        NEW => Some(ClientPast::New),
        KNOWN => Some(ClientPast::Known),
        ENDED => {
            let (mut end, mut at) = (None, None);
            for (name, value) in parts.filter_map(|it| it.split_once('=')) {
                match name {
                    "reason" => {
                        end = End::from_name(value);
                    }
                    "at" => at = value.strip_prefix('@')?.parse::<u64>().ok(),
                    _ => {}
                }
            }
            Some(ClientPast::Ended {
                end: end?,
                at: at?.checked_mul(1000)?,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_is_read_as_it_was_written() {
        let at = 1_732_262_400_000;
        for (past, text) in [
            (ClientPast::New, "new"),
            (ClientPast::Known, "known"),
            (
                ClientPast::Ended { end: End::Idle, at },
                "ended; reason=idle; at=@1732262400",
            ),
        ] {
            assert_eq!(field(past), text);
            assert_eq!(parse(text), Some(past));
        }
        let later = parse("ended;at=@1732262400;more=1;reason=stopped");
        assert_eq!(
            later,
            Some(ClientPast::Ended {
                end: End::Stopped,
                at
            })
        );
        for other in [
            "",
            "old",
            "ended",
            "ended; reason=idle",
            "ended; reason=idle; at=x",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
