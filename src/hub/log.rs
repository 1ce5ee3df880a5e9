//! A channel's log: the newest messages, bounded by count and by bytes.
//!
//! It is kept as the bytes that go out: all text frames one after the other, so that reading any
//! stretch of them is one copy, and a plain message takes one allocation from time to time rather than
//! several of its own. What else a message said is kept only where its frame does not say it.
//!
//! Positions are sequence numbers: what is read at a position is the same for replay and for live
//! delivery, and a position below [`Log::first`] has lost something. No locks, no async, no clock.

mod entry;
mod mirrored;
mod ring;

use std::collections::VecDeque;

use self::entry::{Entry, Said};
use self::ring::{Ring, length};
use super::Frames;
use crate::event::{Event, EventId, Format, UnixMillis};
use crate::message::Message;

/// How much a log keeps; whichever bound is reached first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Messages; at least 1.
    pub messages: usize,
    /// Bytes of their text frames, and of their fields. The newest message is kept even where it alone
    /// is larger.
    pub bytes: usize,
}

pub(super) use self::entry::Prepared;

pub(super) struct Log {
    entries: VecDeque<Entry>,
    /// The text frames of all entries, one after the other.
    frames: Ring,
    limits: LogLimits,
    /// What `limits.bytes` bounds.
    bytes: usize,
    /// What the entries hold besides their frames.
    besides: usize,
    /// The number the next message gets.
    next: u64,
    /// When the newest dropped message was taken; the channel's creation while none was dropped.
    dropped_at: UnixMillis,
    newest_at: UnixMillis,
}

impl Log {
    pub(super) fn new(limits: LogLimits, created: UnixMillis) -> Self {
        Self {
            entries: VecDeque::new(),
            frames: Ring::default(),
            limits,
            bytes: 0,
            besides: 0,
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

    /// What the process holds for it, in bytes, encoded JSON included.
    pub(super) fn memory(&self) -> usize {
        self.frames.capacity() + self.entries.capacity() * size_of::<Entry>() + self.besides
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
        let time = self.entries.get(index)?.time;
        Some(EventId { seq, time })
    }

    /// Encodes a message with the number it would get now. Time never runs backwards in a log,
    /// whatever the clock does: resuming compares it.
    pub(super) fn prepare(&self, message: Message, now: UnixMillis, frames: Frames) -> Prepared {
        let id = EventId {
            seq: self.next,
            time: now.max(self.newest_at),
        };
        let event = Event { id, message };
        let frame = (frames.text)(&event);
        Prepared { event, frame }
    }

    /// The oldest number that would still be held after appending this.
    pub(super) fn first_after(&self, prepared: &Prepared) -> u64 {
        let mut first = self.first();
        let mut count = self.entries.len() + 1;
        let mut bytes = self.bytes + prepared.bytes();
        let mut start = self.frames.start();
        for entry in &self.entries {
            if self.limits.hold(count, bytes) {
                break;
            }
            count -= 1;
            bytes -= length(start, entry.end) + entry.extra();
            start = entry.end;
            first += 1;
        }
        first
    }

    /// Whether appending this takes more memory than it gives back. What was encoded for readers is left
    /// out on both sides: this has yet to be.
    pub(super) fn would_grow(&self, prepared: &Prepared) -> bool {
        let dropped = self.first_after(prepared) - self.first();
        let dropped = usize::try_from(dropped).unwrap_or(usize::MAX);
        let count = self.entries.len();
        let stay = length(self.start_of(dropped), self.frames.end());
        let given_back = self.entries.range(..dropped).map(|it| it.said.heap_size());
        stay + prepared.frame.len() > self.frames.capacity()
            || count - dropped == self.entries.capacity()
            || prepared.heap_size() > given_back.sum()
    }

    /// Drops the oldest for as long as the bounds would not hold, and appends.
    pub(super) fn append(&mut self, prepared: Prepared) -> EventId {
        let first = self.first_after(&prepared);
        while self.first() < first {
            self.drop_oldest();
        }
        let id = prepared.event.id;
        debug_assert_eq!(id.seq, self.next, "prepared for another place");
        self.next += 1;
        self.newest_at = id.time;
        self.bytes += prepared.bytes();
        self.frames.push(&prepared.frame);
        let entry = Entry {
            time: id.time,
            end: self.frames.end(),
            said: prepared.said(),
            json: None,
        };
        self.besides += entry.besides();
        self.entries.push_back(entry);
        id
    }

    fn drop_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else {
            return;
        };
        self.bytes -= length(self.frames.start(), entry.end) + entry.extra();
        self.frames.forget(entry.end);
        self.dropped_at = entry.time;
        self.besides -= entry.besides();
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
        let end = match format {
            Format::Text => self.read_text(start, out, max),
            Format::Json => self.read_json(start, frames, out, max),
        };
        from + (end - start) as u64
    }

    /// Appends text frames from the entry `start` on; the entry after the last one.
    fn read_text(&self, start: usize, out: &mut Vec<u8>, max: usize) -> usize {
        let begin = self.start_of(start);
        let room = max.saturating_sub(out.len());
        let mut end = self.entries.len();
        // Mostly there is room for all, and no reason to look at each.
        if length(begin, self.frames.end()) > room {
            let fills = |it: &Entry| it.end > begin && length(begin, it.end) >= room;
            end = self.entries.partition_point(|it| !fills(it)) + 1;
        }
        self.frames.copy(begin..self.start_of(end), out);
        end
    }

    /// Appends JSON frames from the entry `start` on; the entry after the last one.
    fn read_json(&mut self, start: usize, frames: Frames, out: &mut Vec<u8>, max: usize) -> usize {
        for index in start..self.entries.len() {
            let json = self.entries[index].json.take().unwrap_or_else(|| {
                let json = self.json(index, frames);
                self.besides += json.len();
                json
            });
            out.extend_from_slice(&json);
            self.entries[index].json = Some(json);
            if out.len() >= max {
                return index + 1;
            }
        }
        self.entries.len()
    }

    fn json(&self, index: usize, frames: Frames) -> Box<[u8]> {
        let entry = &self.entries[index];
        let frame = match &entry.said {
            Said::More(event) => (frames.json)(event),
            Said::Text { length, after } => {
                let end = entry.end - u64::from(*after);
                let mut text = Vec::new();
                self.frames.copy(end - u64::from(*length)..end, &mut text);
                let text = String::from_utf8(text).expect("a text was put there");
                let id = EventId {
                    seq: self.first() + index as u64,
                    time: entry.time,
                };
                let message = Message::text(text);
                (frames.json)(&Event { id, message })
            }
        };
        frame.into()
    }

    /// The place in the frames where an entry's starts.
    fn start_of(&self, index: usize) -> u64 {
        let before = index.checked_sub(1).and_then(|it| self.entries.get(it));
        before.map_or(self.frames.start(), |it| it.end)
    }
}

impl LogLimits {
    /// Whether a log may hold so much.
    fn hold(self, messages: usize, bytes: usize) -> bool {
        messages <= self.messages && (bytes <= self.bytes || messages <= 1)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    const FRAMES: Frames = Frames {
        text: |event| frame(&event.message.text).into_bytes(),
        json: |event| event.message.text.to_uppercase().into_bytes(),
    };

    /// Tells a text of one line as it is, and one of several otherwise.
    fn frame(text: &str) -> String {
        format!("{}!\n", text.replace('\n', "/"))
    }

    fn append(log: &mut Log, text: &str, now: UnixMillis) -> EventId {
        let prepared = log.prepare(Message::text(text), now, FRAMES);
        let first_after = log.first_after(&prepared);
        let id = log.append(prepared);
        assert_eq!(log.first(), first_after, "it foretells what append does");
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
                        let after = log.read(at, Format::Text, FRAMES, &mut part, max);
                        prop_assert!(after > at);
                        out.extend(part);
                        at = after;
                    }
                    prop_assert_eq!(String::from_utf8(out).unwrap(), model.all[start..].concat());
                    let mut json = Vec::new();
                    log.read(start as u64 + 1, Format::Json, FRAMES, &mut json, usize::MAX);
                    let expected = texts[start..=count].concat().to_uppercase();
                    prop_assert_eq!(String::from_utf8(json).unwrap(), expected);
                }
            }
        }

        #[test]
        fn what_is_counted_is_what_the_entries_hold(texts in prop::collection::vec("[a-z\n]{0,40}", 1..50)) {
            let mut log = Log::new(LogLimits { messages: 8, bytes: 100 }, 0);
            for text in &texts {
                append(&mut log, text, 0);
                let from = log.first();
                log.read(from, Format::Json, FRAMES, &mut Vec::new(), 30);
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
