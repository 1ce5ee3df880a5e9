//! A message in the store's log: the time when it was accepted, then `T` and the text of a message without other
//! fields, `J` and a JSON object, or `S` and a JSON object if the server itself is the publisher.

use crate::event::UnixMillis;
use crate::message::Message;
use crate::wire::json;

/// Encodes a message.
pub(super) fn encode(message: &Message) -> Vec<u8> {
    let mut entry = Vec::with_capacity(1 + message.text.len());
    if message.is_plain() {
        entry.push(b'T');
        entry.extend_from_slice(message.text.as_bytes());
    } else if message.system {
        entry.push(b'S');
        // The parser of published messages refuses the event name that the server uses.
        let said = Message {
            system: false,
            ..message.clone()
        };
        entry.extend(json::publication(&said));
    } else {
        entry.push(b'J');
        entry.extend(json::publication(message));
    }
    entry
}

/// Decodes an entry of the log or of a notice into the time when the message was accepted, and the message. Returns
/// `None` if it is not an entry.
pub(super) fn decode(stamped: &[u8]) -> Option<(UnixMillis, Message)> {
    let stamped = str::from_utf8(stamped).ok()?;
    let (time, entry) = stamped.split_once(' ')?;
    let time = time.parse().ok()?;
    let (kind, rest) = entry.split_at_checked(1)?;
    let message = match kind {
        "T" => Message::text(rest),
        "J" => json::parse_message(rest).ok()?,
        "S" => Message {
            system: true,
            ..json::parse_message(rest).ok()?
        },
        _ => return None,
    };
    Some((time, message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Level, Outcome, Progress};

    fn stamped(message: &Message) -> Vec<u8> {
        [b"1732262400123 ", &*encode(message)].concat()
    }

    proptest! {
        #[test]
        fn a_message_is_read_as_it_was_written(
            text in any::<String>(),
            operation in prop::option::of("[a-z ]{1,8}x"),
            event in prop::option::of("[a-z]{1,5}x"),
            progress in prop::option::of((0u32..100, 100u32..1000)),
            is_error in any::<bool>(),
            ends in any::<bool>(),
            fields in prop::option::of(Just(r#"{"a":[1,"ä"]}"#)),
            system in any::<bool>(),
        ) {
            let progress = progress.map(|(current, total)| format!("{current}/{total}").parse::<Progress>().unwrap());
            let message = Message {
                text,
                level: is_error.then_some(Level::Error),
                operation: operation.map(|it| it.parse().unwrap()),
                progress,
                outcome: ends.then_some(Outcome::Failed),
                event: event.map(|it| it.parse().unwrap()),
                fields: fields.map(Into::into),
                system,
            };
            prop_assert_eq!(decode(&stamped(&message)), Some((1_732_262_400_123, message)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&bytes);
            let _ = decode(&[b"1 ", &*bytes].concat());
        }
    }

    #[test]
    fn a_message_without_other_fields_is_stored_as_its_text() {
        assert_eq!(stamped(&Message::text("hello")), b"1732262400123 Thello");
    }
}
