//! Any text is unchanged by both formats, except for the standard's newline rule.

use codechat::internal::{
    event::{Event, EventId},
    message::Message,
    wire::{json, sse},
};
use proptest::prelude::*;

use crate::client_parsing::by_the_book;

/// Applies the standard's newline rule: a stream's lines end with CR, LF or CRLF, and data is joined by LF.
fn by_the_newline_rule(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn texts() -> impl Strategy<Value = String> {
    let awkward = prop::collection::vec(
        prop_oneof![
            Just("\n"),
            Just("\r"),
            Just("\r\n"),
            Just("data: x"),
            Just("id: 9-9"),
            Just("event: end"),
            Just(":"),
            Just(" "),
            Just("\0"),
            Just("\u{feff}"),
            Just("\u{2028}"),
            Just("\""),
            Just("\\"),
            Just("\u{1b}[31m"),
            Just("ü"),
            Just("retry: 0"),
        ],
        0..12,
    );
    prop_oneof![any::<String>(), awkward.prop_map(|parts| parts.concat())]
}

proptest! {
    #[test]
    fn text_is_unchanged_by_both_formats_and_an_independent_strict_parser(
        texts in prop::collection::vec(texts(), 1..6),
    ) {
        let (mut plain, mut objects) = (Vec::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            let id = EventId { seq: index as u64 + 1, time: 1_732_262_400_123 };
            let event = Event { id, message: Message::text(text.clone()) };
            plain.extend(sse::text_frame(&event));
            objects.extend(sse::json_frame(&event));
        }
        let (plain, objects) = (by_the_book(&plain), by_the_book(&objects));
        prop_assert_eq!(plain.len(), texts.len());
        prop_assert_eq!(objects.len(), texts.len());
        for (index, text) in texts.iter().enumerate() {
            let id = format!("{}-1732262400123", index + 1);
            let (name, at, data) = &plain[index];
            prop_assert_eq!((name.as_str(), at), ("debug", &id));
            prop_assert_eq!(data, &by_the_newline_rule(text));

            let (name, at, data) = &objects[index];
            prop_assert_eq!((name.as_str(), at), ("debug", &id));
            let object: serde_json::Value = serde_json::from_str(data).unwrap();
            prop_assert_eq!(object["message"].as_str(), Some(text.as_str()));
            prop_assert_eq!(object["id"].as_str(), Some(id.as_str()));
        }
    }

    #[test]
    fn a_publication_is_read_back_as_it_was_written(text in texts()) {
        let message = Message::text(text);
        let mut line = Vec::new();
        json::push_publication(&mut line, &message);
        prop_assert!(!line.contains(&b'\n'));
        let line = String::from_utf8(line).unwrap();
        prop_assert_eq!(json::parse_line(&line).unwrap(), message);
    }
}
