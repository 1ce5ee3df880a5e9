//! Compares the log with a simple model, and checks its byte counts.

use proptest::prelude::*;

use super::*;
use crate::message::Level;

const FRAMES: Frames = Frames {
    text: |event| frame(&event.message.text).into_bytes(),
    json: |event| event.message.text.to_uppercase().into_bytes(),
};

/// Encodes a text of one line unchanged, and one of several otherwise.
fn frame(text: &str) -> String {
    format!("{}!\n", text.replace('\n', "/"))
}

fn append(log: &mut Log, text: &str, now: UnixMillis) -> EventId {
    let prepared = log.prepare(Message::text(text), now, FRAMES);
    let first_after = log.first_after(&prepared);
    let id = log.append(prepared);
    assert_eq!(
        log.first(),
        first_after,
        "first_after predicts what append does"
    );
    id
}

/// The simple model: everything ever appended, and the first number that is still held.
#[derive(Default)]
struct Model {
    all: Vec<String>,
}

impl Model {
    fn held(&self, limits: LogLimits) -> Range<usize> {
        let mut bytes = 0;
        let mut start = self.all.len();
        while start > 0 && self.all.len() - start < limits.messages {
            bytes += self.all[start - 1].len();
            if bytes > limits.bytes && start < self.all.len() {
                break;
            }
            start -= 1;
        }
        start..self.all.len()
    }
}

proptest! {
    #[test]
    fn the_log_holds_what_the_model_holds(
        texts in prop::collection::vec("[a-z\n]{0,12}", 0..60),
        messages in 1usize..10,
        bytes in 1usize..60,
        max in 1usize..40,
    ) {
        let limits = LogLimits { messages, bytes };
        let mut log = Log::new(limits, 1000);
        let mut model = Model::default();
        for (count, text) in texts.iter().enumerate() {
            let id = append(&mut log, text, 1000 + count as u64);
            model.all.push(frame(text));
            prop_assert_eq!(id.seq, count as u64 + 1);

            let held = model.held(limits);
            prop_assert_eq!(log.first(), held.start as u64 + 1);
            prop_assert_eq!(log.next(), held.end as u64 + 1);
            for start in held.clone() {
                let (mut out, mut at) = (Vec::new(), start as u64 + 1);
                while at < log.next() {
                    let mut part = Vec::new();
                    let after = log.read(at..u64::MAX, Format::Text, FRAMES, &mut part, max);
                    prop_assert!(after > at);
                    out.extend(part);
                    at = after;
                }
                prop_assert_eq!(String::from_utf8(out).unwrap(), model.all[start..].concat());
                let mut json = Vec::new();
                log.read(start as u64 + 1..u64::MAX, Format::Json, FRAMES, &mut json, usize::MAX);
                let expected = texts[start..=count].concat().to_uppercase();
                prop_assert_eq!(String::from_utf8(json).unwrap(), expected);
            }
        }
    }

    #[test]
    fn the_byte_counts_match_the_entries(texts in prop::collection::vec("[a-z\n]{0,40}", 1..50)) {
        let mut log = Log::new(LogLimits { messages: 8, bytes: 100 }, 0);
        for text in &texts {
            append(&mut log, text, 0);
            let from = log.first();
            log.read(from..u64::MAX, Format::Json, FRAMES, &mut Vec::new(), 30);
            prop_assert_eq!(log.besides, log.entries.iter().map(Entry::besides).sum::<usize>());
            prop_assert_eq!(log.frames.end(), log.start_of(log.entries.len()));
        }
    }
}

#[test]
fn fields_count_towards_the_bytes() {
    let mut log = Log::new(
        LogLimits {
            messages: 100,
            bytes: 100,
        },
        0,
    );
    for _ in 0..10 {
        let fields = Some("x".repeat(40).into());
        let message = Message {
            fields,
            ..Message::text("y")
        };
        log.append(log.prepare(message, 0, FRAMES));
    }
    assert_eq!(log.entries.len(), 2);
}

#[test]
fn json_is_encoded_when_first_read() {
    let mut log = Log::new(
        LogLimits {
            messages: 4,
            bytes: 100,
        },
        0,
    );
    append(&mut log, "a", 0);
    assert!(log.entries[0].json.is_none());
    let mut out = Vec::new();
    assert_eq!(log.read(1..u64::MAX, Format::Json, FRAMES, &mut out, 1), 2);
    assert_eq!(out, b"A");
    assert!(log.entries[0].json.is_some());
}

#[test]
fn the_id_before_the_first_is_that_of_the_newest_dropped_message() {
    let mut log = Log::new(
        LogLimits {
            messages: 2,
            bytes: 100,
        },
        50,
    );
    assert_eq!(log.id_before(1), EventId { seq: 0, time: 50 });
    for now in [60, 70, 80] {
        append(&mut log, "a", now);
    }
    assert_eq!(log.id_before(log.first()), EventId { seq: 1, time: 60 });
    assert_eq!(log.id_before(3), EventId { seq: 2, time: 70 });
}

#[test]
fn time_never_runs_backwards() {
    let mut log = Log::new(
        LogLimits {
            messages: 2,
            bytes: 100,
        },
        50,
    );
    assert_eq!(append(&mut log, "a", 90).time, 90);
    assert_eq!(append(&mut log, "a", 40).time, 90);
}

#[test]
fn a_level_is_kept_without_memory_of_its_own() {
    let frames = Frames {
        json: |event| format!("{:?}", (event.message.level, &event.message.text)).into_bytes(),
        ..FRAMES
    };
    let limits = LogLimits {
        messages: 2,
        bytes: 100,
    };
    let mut log = Log::new(limits, 1000);
    let message = Message {
        level: Some(Level::Warn),
        ..Message::text("low")
    };
    let prepared = log.prepare(message, 1000, frames);
    assert_eq!(prepared.heap_size(), 0);
    log.append(prepared);
    let mut out = Vec::new();
    log.read(1..2, Format::Json, frames, &mut out, 100);
    assert_eq!(out, br#"(Some(Warn), "low")"#);
}
