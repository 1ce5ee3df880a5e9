//! A channel's log: the newest messages, bounded by count and by bytes.
//!
//! The log keeps the bytes that are sent: all text frames in a row. So reading any part of them is one copy, and a
//! plain message rarely costs an allocation. The fields of a message are kept only if its frame does not contain them.
//!
//! Positions are sequence numbers. Reading is the same for replay and for live delivery, and a reader below
//! [`Log::first`] has lost messages. No locks, no async, no clock.

mod entry;
mod mirrored;
mod ring;

use std::collections::VecDeque;
use std::ops::Range;

use self::entry::{Entry, Said};
use self::ring::{Ring, length};
use super::Frames;
use crate::event::{Event, EventId, Format, UnixMillis};
use crate::message::Message;

/// The limits of a log; whichever is reached first applies.
///
/// ```
/// use codechat::LogLimits;
///
/// const LOG: LogLimits = LogLimits::new().messages(100).bytes(64 * 1024);
/// assert_eq!((LOG.messages, LOG.bytes), (100, 65_536));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLimits {
    /// Number of messages; at least 1.
    pub messages: usize,
    /// Bytes of their text frames and of their fields. The newest message is kept even if it alone is larger.
    pub bytes: usize,
}

impl LogLimits {
    /// Creates the default limits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            messages: 1024,
            bytes: 1 << 20,
        }
    }

    /// Sets the number of messages; at least 1. Default 1,024.
    #[must_use]
    pub const fn messages(mut self, messages: usize) -> Self {
        self.messages = messages;
        self
    }

    /// Sets the bytes of their text frames and of their fields. Default 1 MiB.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }
}

impl Default for LogLimits {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) use self::entry::Prepared;

pub(super) struct Log {
    entries: VecDeque<Entry>,
    /// The text frames of all entries, one after the other.
    frames: Ring,
    limits: LogLimits,
    /// The bytes that `limits.bytes` bounds.
    bytes: usize,
    /// The bytes of the entries outside of their frames.
    besides: usize,
    /// The number of the next message.
    next: u64,
    /// When the newest dropped message was accepted; the channel's creation while none was dropped.
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

    /// Returns the oldest number held; [`Log::next`] if there is none.
    pub(super) fn first(&self) -> u64 {
        self.next - self.entries.len() as u64
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Returns the memory of the log, in bytes, including encoded JSON.
    pub(super) fn memory(&self) -> usize {
        self.frames.capacity() + self.entries.capacity() * size_of::<Entry>() + self.besides
    }

    /// Returns the ID right before `seq`, for `seq` from [`Log::first`] to [`Log::next`].
    pub(super) fn id_before(&self, seq: u64) -> EventId {
        let before = seq - 1;
        self.id_of(before).unwrap_or(EventId {
            seq: before,
            time: self.dropped_at,
        })
    }

    /// Returns the ID of a message that is still held.
    pub(super) fn id_of(&self, seq: u64) -> Option<EventId> {
        let index = usize::try_from(seq.checked_sub(self.first())?).ok()?;
        let time = self.entries.get(index)?.time;
        Some(EventId { seq, time })
    }

    /// Encodes a message with the next number. Its time is never before the newest one's, even if the clock was set
    /// back, because resuming compares times.
    pub(super) fn prepare(&self, message: Message, now: UnixMillis, frames: Frames) -> Prepared {
        let id = EventId {
            seq: self.next,
            time: now.max(self.newest_at),
        };
        let event = Event { id, message };
        let frame = (frames.text)(&event);
        Prepared { event, frame }
    }

    /// Returns the oldest number that would still be held after appending this message.
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

    /// Returns whether appending this message takes more memory than it frees. JSON frames, which are encoded for
    /// readers, are not counted on either side.
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

    /// Drops the oldest messages as far as the limits require, and appends.
    pub(super) fn append(&mut self, prepared: Prepared) -> EventId {
        let first = self.first_after(&prepared);
        while self.first() < first {
            self.drop_oldest();
        }
        let id = prepared.event.id;
        debug_assert_eq!(id.seq, self.next, "prepared with another number");
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

    /// Appends the frames of these numbers to `out` until it has `max` bytes or the log ends. Returns the position
    /// after the last one. Reads at least one, if there is one.
    pub(super) fn read(
        &mut self,
        numbers: Range<u64>,
        format: Format,
        frames: Frames,
        out: &mut Vec<u8>,
        max: usize,
    ) -> u64 {
        let Range { start, end } = numbers;
        let index = |seq: u64| usize::try_from(seq - self.first()).unwrap_or(usize::MAX);
        let indexes = index(start)..index(end.min(self.next));
        let begin = indexes.start;
        let read = match format {
            Format::Text => self.read_text(indexes, out, max),
            Format::Json => self.read_json(indexes, frames, out, max),
        };
        start + (read - begin) as u64
    }

    /// Appends text frames of these entries; returns the entry after the last one.
    fn read_text(&self, entries: Range<usize>, out: &mut Vec<u8>, max: usize) -> usize {
        let Range { start, mut end } = entries;
        let begin = self.start_of(start);
        let room = max.saturating_sub(out.len());
        // Usually there is room for all of them, and no entry needs to be examined.
        if length(begin, self.start_of(end)) > room {
            let fills = |it: &Entry| it.end > begin && length(begin, it.end) >= room;
            end = self.entries.partition_point(|it| !fills(it)) + 1;
        }
        self.frames.copy(begin..self.start_of(end), out);
        end
    }

    /// Appends JSON frames of these entries; returns the entry after the last one.
    fn read_json(
        &mut self,
        entries: Range<usize>,
        frames: Frames,
        out: &mut Vec<u8>,
        max: usize,
    ) -> usize {
        let end = entries.end;
        for index in entries {
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
        end
    }

    fn json(&self, index: usize, frames: Frames) -> Box<[u8]> {
        let entry = &self.entries[index];
        let frame = match &entry.said {
            Said::More(event) => (frames.json)(event),
            Said::Text {
                length,
                after,
                level,
            } => {
                let end = entry.end - u64::from(*after);
                let mut text = Vec::new();
                self.frames.copy(end - u64::from(*length)..end, &mut text);
                let text = String::from_utf8(text).expect("a text was put there");
                let id = EventId {
                    seq: self.first() + index as u64,
                    time: entry.time,
                };
                let message = Message {
                    level: *level,
                    ..Message::text(text)
                };
                (frames.json)(&Event { id, message })
            }
        };
        frame.into()
    }

    /// Returns the position in the frames at which an entry's frame starts.
    fn start_of(&self, index: usize) -> u64 {
        let before = index.checked_sub(1).and_then(|it| self.entries.get(it));
        before.map_or(self.frames.start(), |it| it.end)
    }
}

impl LogLimits {
    /// Returns whether a log may hold this much.
    fn hold(self, messages: usize, bytes: usize) -> bool {
        messages <= self.messages && (bytes <= self.bytes || messages <= 1)
    }
}

#[cfg(test)]
mod tests;
