//! The records: a ring with bounds on their number and bytes, which counts what it drops.
//!
//! Pure.

mod record;

use std::collections::VecDeque;
use std::sync::Arc;

pub use record::{More, Record, RecordKind, TEXT_MAX, plain};

/// Upper bound of the records.
pub const RECORDS_MAX: usize = 200_000;
/// Upper bound of their bytes. The newest record is kept in any case.
pub const BYTES_MAX: usize = 64 << 20;
/// How many recent names of operations are compared, to share memory.
const NAMES: usize = 8;

/// A record's number among all that ever came, from 0.
pub type Id = u64;

/// The ring.
#[derive(Debug, Default)]
pub struct Records {
    kept: VecDeque<Record>,
    /// The number of the oldest record that is kept.
    first: Id,
    bytes: usize,
    /// Recent names of operations: equal names share their memory.
    names: VecDeque<Arc<str>>,
}

impl Records {
    /// Appends a record and drops the oldest beyond the bounds. Returns its number.
    pub fn push(&mut self, mut record: Record, mut gone: impl FnMut(Id, &Record)) -> Id {
        if let Some(name) = record.operation.take() {
            record.operation = Some(self.shared(name));
        }
        self.bytes += record.size();
        self.kept.push_back(record);
        while self.kept.len() > RECORDS_MAX || (self.bytes > BYTES_MAX && self.kept.len() > 1) {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
            gone(self.first, &oldest);
            self.first += 1;
        }
        self.end() - 1
    }

    /// Returns the record with this number, if it is still kept.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<&Record> {
        let index = id.checked_sub(self.first)?;
        self.kept.get(usize::try_from(index).ok()?)
    }

    /// Returns all records that are kept, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Record)> {
        (self.first..).zip(&self.kept)
    }

    /// Returns the number of the oldest one, which is how many were dropped.
    #[must_use]
    pub fn first(&self) -> Id {
        self.first
    }

    /// Returns the number that the next record will have.
    #[must_use]
    pub fn end(&self) -> Id {
        self.first + self.kept.len() as u64
    }

    fn shared(&mut self, name: Arc<str>) -> Arc<str> {
        if let Some(known) = self.names.iter().find(|it| **it == name) {
            return known.clone();
        }
        if self.names.len() == NAMES {
            self.names.pop_front();
        }
        self.names.push_back(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        client::subscribe::Received,
        message::{Level, Message, Outcome},
        terminal::safe_text::Colour,
    };

    fn received(text: &str) -> Received {
        Received {
            id: "17-1732262400123".into(),
            event: "debug".into(),
            time: Some(1_732_262_400_123),
            message: Message::text(text),
            foreign: None,
        }
    }

    fn record(text: &str) -> Record {
        Record::received(received(text), Duration::ZERO, Colour::Keep)
    }

    #[test]
    fn text_is_kept_twice_only_if_it_is_shown_differently() {
        let clean = record("clean");
        assert!(clean.more.is_none());
        assert_eq!(clean.message(), Message::text("clean"));
        let lines = record("two\nlines");
        assert!(lines.more.is_none());
        let hostile = record("a\x1b]0;b\x07\x1b[31mred");
        assert_eq!(&*hostile.text, "a␛]0;b␇\x1b[31mred\x1b[0m");
        assert_eq!(hostile.plain(), "a␛]0;b␇red");
        assert_eq!(hostile.message(), Message::text("a\x1b]0;b\x07\x1b[31mred"));
        assert_eq!(hostile.event_id(), "17-1732262400123");
    }

    #[test]
    fn a_message_is_returned_unchanged() {
        let message = Message {
            text: "x\ty".into(),
            level: Some(Level::Warn),
            operation: Some("o\u{202e}p".parse().unwrap()),
            progress: Some("3/4".parse().unwrap()),
            outcome: Some(Outcome::Failed),
            event: Some("step".parse().unwrap()),
            fields: Some(r#"{"a":1}"#.into()),
            system: false,
        };
        let received = Received {
            message: message.clone(),
            ..received("")
        };
        let record = Record::received(received, Duration::ZERO, Colour::Keep);
        assert_eq!(record.operation.as_deref(), Some("o<U+202E>p"));
        assert_eq!(record.message(), message);
    }

    #[test]
    fn beyond_the_bounds_the_oldest_are_dropped_and_the_newest_stays() {
        let mut records = Records::default();
        let mut gone = 0;
        let big = "x".repeat(TEXT_MAX);
        for _ in 0..20 {
            records.push(record(&big), |_, _| gone += 1);
        }
        assert!(records.bytes <= BYTES_MAX);
        assert_eq!(records.first(), gone);
        assert_eq!(records.end(), 20);
        for _ in 0..=RECORDS_MAX {
            records.push(record("x"), |_, _| gone += 1);
        }
        assert_eq!(records.iter().count(), RECORDS_MAX);
        assert_eq!(records.first(), gone);
        assert!(records.get(gone - 1).is_none() && records.get(gone).is_some());
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_says_so() {
        let record = record(&"ü".repeat(TEXT_MAX));
        assert!(record.text.ends_with("more bytes are not kept)"));
        assert!(record.text.len() < TEXT_MAX + 100);
    }
}
