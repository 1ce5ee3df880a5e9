//! A channel's log: the newest messages, bounded by count and by bytes.
//!
//! Positions are sequence numbers: what is read at a position is the same for replay and for live
//! delivery, and a position below [`Log::first`] has lost something. No locks, no async, no clock.

use std::collections::VecDeque;

use super::Frames;
use crate::{
    event::{Event, EventId, Format, UnixMillis},
    message::Message,
};

/// How much a log keeps; whichever bound is reached first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Messages; at least 1.
    pub messages: usize,
    /// Bytes of their text frames, and of their fields. The newest message is kept even where it alone
    /// is larger.
    pub bytes: usize,
}

pub(super) struct Log {
    entries: VecDeque<Entry>,
    limits: LogLimits,
    /// What `limits.bytes` bounds.
    bytes: usize,
    /// What the process really holds for the entries, encoded JSON included.
    memory: usize,
    /// The number the next message gets.
    next: u64,
    /// When the newest dropped message was taken; the channel's creation while none was dropped.
    dropped_at: UnixMillis,
    newest_at: UnixMillis,
}

struct Entry {
    event: Event,
    text: Vec<u8>,
    /// Encoded the first time somebody asks for it.
    json: Option<Vec<u8>>,
}

impl Entry {
    /// What it counts towards [`LogLimits::bytes`]: all that its publisher said.
    fn bytes(&self) -> usize {
        let message = &self.event.message;
        self.text.len() + message.heap_size() - message.text.len()
    }

    fn memory(&self) -> usize {
        self.published() + self.json.as_ref().map_or(0, Vec::capacity)
    }

    /// What of its memory was taken when it was published, not when it was read.
    fn published(&self) -> usize {
        size_of::<Self>() + self.text.capacity() + self.event.message.heap_size()
    }
}

impl Log {
    pub(super) fn new(limits: LogLimits, created: UnixMillis) -> Self {
        Self {
            entries: VecDeque::new(),
            limits,
            bytes: 0,
            memory: 0,
            next: 1,
            dropped_at: created,
            newest_at: created,
        }
    }

    /// The oldest number held; [`Log::next`] where none is.
    pub(super) fn first(&self) -> u64 {
        self.next - self.entries.len() as u64
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// The ID that stands right before `seq`, for `seq` from [`Log::first`] to [`Log::next`].
    pub(super) fn id_before(&self, seq: u64) -> EventId {
        let before = seq - 1;
        self.id_of(before).unwrap_or(EventId {
            seq: before,
            time: self.dropped_at,
        })
    }

    /// The ID of a message that is still held.
    pub(super) fn id_of(&self, seq: u64) -> Option<EventId> {
        let index = usize::try_from(seq.checked_sub(self.first())?).ok()?;
        self.entries.get(index).map(|it| it.event.id)
    }

    /// Encodes a message with the number it would get now. Time never runs backwards in a log,
    /// whatever the clock does: resuming compares it.
    pub(super) fn prepare(&self, message: Message, now: UnixMillis, frames: Frames) -> Prepared {
        let id = EventId {
            seq: self.next,
            time: now.max(self.newest_at),
        };
        let event = Event { id, message };
        let text = (frames.text)(&event);
        Prepared(Entry {
            event,
            text,
            json: None,
        })
    }

    /// The oldest number that would still be held after appending this.
    pub(super) fn first_after(&self, prepared: &Prepared) -> u64 {
        let mut first = self.first();
        let mut count = self.entries.len() + 1;
        let mut bytes = self.bytes + prepared.0.bytes();
        for entry in &self.entries {
            if count <= self.limits.messages && bytes <= self.limits.bytes {
                break;
            }
            count -= 1;
            bytes -= entry.bytes();
            first += 1;
        }
        first
    }

    /// Whether appending this takes more memory than what is dropped for it gives back. What was encoded
    /// for readers is left out on both sides: this has yet to be.
    pub(super) fn would_grow(&self, prepared: &Prepared) -> bool {
        let dropped = self.first_after(prepared) - self.first();
        let dropped = usize::try_from(dropped).unwrap_or(usize::MAX);
        let given_back: usize = self
            .entries
            .iter()
            .take(dropped)
            .map(Entry::published)
            .sum();
        prepared.0.published() > given_back
    }

    /// Appends, and drops the oldest until the bounds hold again.
    pub(super) fn append(&mut self, prepared: Prepared) -> EventId {
        let Prepared(entry) = prepared;
        debug_assert_eq!(entry.event.id.seq, self.next, "prepared for another place");
        let id = entry.event.id;
        self.next += 1;
        self.newest_at = id.time;
        self.bytes += entry.bytes();
        self.memory += entry.memory();
        self.entries.push_back(entry);
        while self.entries.len() > self.limits.messages
            || (self.bytes > self.limits.bytes && self.entries.len() > 1)
        {
            let Some(dropped) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= dropped.bytes();
            self.memory -= dropped.memory();
            self.dropped_at = dropped.event.id.time;
        }
        id
    }

    /// Appends frames from `from` on to `out` until it has `max` bytes or the log ends. Returns the
    /// position after the last one; at least one is read where there is one.
    pub(super) fn read(
        &mut self,
        from: u64,
        format: Format,
        frames: Frames,
        out: &mut Vec<u8>,
        max: usize,
    ) -> u64 {
        let start = usize::try_from(from - self.first()).unwrap_or(usize::MAX);
        let mut position = from;
        for entry in self.entries.range_mut(start..) {
            match format {
                Format::Text => out.extend_from_slice(&entry.text),
                Format::Json => {
                    let json = entry.json.get_or_insert_with(|| {
                        let frame = (frames.json)(&entry.event);
                        self.memory += frame.capacity();
                        frame
                    });
                    out.extend_from_slice(json);
                }
            }
            position += 1;
            if out.len() >= max {
                break;
            }
        }
        position
    }
}

/// A message encoded for the log's next place.
pub(super) struct Prepared(Entry);

impl Prepared {
    pub(super) fn message(&self) -> &Message {
        &self.0.event.message
    }

    /// Gives the message back, where it could not be appended yet.
    pub(super) fn into_message(self) -> Message {
        self.0.event.message
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    const FRAMES: Frames = Frames {
        text: |event| event.message.text.clone().into_bytes(),
        json: |event| event.message.text.to_uppercase().into_bytes(),
    };

    fn append(log: &mut Log, text: &str, now: UnixMillis) -> EventId {
        let prepared = log.prepare(Message::text(text), now, FRAMES);
        let first_after = log.first_after(&prepared);
        let id = log.append(prepared);
        if text.len() <= log.limits.bytes {
            assert_eq!(
                log.first(),
                first_after,
                "first_after foretells what append does"
            );
        }
        id
    }

    /// The simple model: everything ever appended, and from where on it is still held.
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
        fn the_log_holds_what_the_simple_model_holds(
            texts in prop::collection::vec("[a-z]{1,12}", 0..60),
            messages in 1usize..10,
            bytes in 1usize..60,
            max in 1usize..40,
        ) {
            let limits = LogLimits { messages, bytes };
            let mut log = Log::new(limits, 1000);
            let mut model = Model::default();
            for (count, text) in texts.iter().enumerate() {
                let id = append(&mut log, text, 1000 + count as u64);
                model.all.push(text.clone());
                prop_assert_eq!(id.seq, count as u64 + 1);

                let held = model.held(limits);
                prop_assert_eq!(log.first(), held.start as u64 + 1);
                prop_assert_eq!(log.next(), held.end as u64 + 1);
                for start in held.clone() {
                    let (mut out, mut at) = (Vec::new(), start as u64 + 1);
                    while at < log.next() {
                        let mut part = Vec::new();
                        let after = log.read(at, Format::Text, FRAMES, &mut part, max);
                        prop_assert!(after > at);
                        out.extend(part);
                        at = after;
                    }
                    prop_assert_eq!(String::from_utf8(out).unwrap(), model.all[start..].concat());
                }
            }
        }

        #[test]
        fn memory_is_what_the_entries_hold(texts in prop::collection::vec("[a-z]{0,40}", 1..50)) {
            let mut log = Log::new(LogLimits { messages: 8, bytes: 100 }, 0);
            for text in &texts {
                append(&mut log, text, 0);
                let from = log.first();
                log.read(from, Format::Json, FRAMES, &mut Vec::new(), 30);
                prop_assert_eq!(log.memory(), log.entries.iter().map(Entry::memory).sum::<usize>());
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
    fn json_is_encoded_once_somebody_asks() {
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
        assert_eq!(log.read(1, Format::Json, FRAMES, &mut out, 1), 2);
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
}
