//! The additional operations of a mirror's log: it can begin at any number, and drops messages on request.

use super::Log;
use super::ring::length;
use crate::event::EventId;
use crate::hub::LogLimits;

impl Log {
    /// Returns an empty log without limits of its own, whose first message follows `before`.
    pub(in crate::hub) fn after(before: EventId) -> Self {
        let limits = LogLimits {
            messages: usize::MAX,
            bytes: usize::MAX,
        };
        let next = before.seq + 1;
        Self {
            next,
            ..Self::new(limits, before.time)
        }
    }

    /// Returns the ID of the newest message ever; the one before the first if there was none.
    pub(in crate::hub) fn last(&self) -> EventId {
        self.id_before(self.next)
    }

    /// Drops the messages before this number, if any.
    pub(in crate::hub) fn drop_before(&mut self, first: u64) {
        while self.first() < first && !self.entries.is_empty() {
            self.drop_oldest();
        }
    }

    /// Removes the messages after this number, down to the oldest that is held.
    pub(in crate::hub) fn take_back_after(&mut self, seq: u64) {
        while self.next - 1 > seq
            && let Some(entry) = self.entries.pop_back()
        {
            let start = self.start_of(self.entries.len());
            self.bytes -= length(start, entry.end) + entry.extra();
            self.besides -= entry.besides();
            self.frames.take_back(start);
            self.next -= 1;
        }
        self.newest_at = self.last().time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Format;
    use crate::hub::Frames;
    use crate::message::Message;

    const FRAMES: Frames = Frames {
        text: |event| event.message.text.clone().into_bytes(),
        json: |event| event.message.text.to_uppercase().into_bytes(),
    };

    fn append(log: &mut Log, text: &str, time: u64) {
        let prepared = log.prepare(Message::text(text), time, FRAMES);
        log.append(prepared);
    }

    fn text(log: &mut Log) -> String {
        let (from, mut out) = (log.first(), Vec::new());
        log.read(from..u64::MAX, Format::Text, FRAMES, &mut out, usize::MAX);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_log_begins_anywhere_and_drops_at_both_ends() {
        let before = EventId { seq: 7, time: 70 };
        let mut log = Log::after(before);
        assert_eq!((log.first(), log.next(), log.last()), (8, 8, before));
        for (text, time) in [("a", 80), ("b", 90), ("c", 100), ("d", 110)] {
            append(&mut log, text, time);
        }
        log.drop_before(9);
        assert_eq!(log.id_before(9), EventId { seq: 8, time: 80 });
        log.take_back_after(10);
        assert_eq!(log.last(), EventId { seq: 10, time: 100 });
        assert_eq!(text(&mut log), "bc");
        append(&mut log, "e", 95);
        assert_eq!(log.last(), EventId { seq: 11, time: 100 });
        assert_eq!(text(&mut log), "bce");

        log.take_back_after(0);
        assert_eq!((log.first(), log.next()), (9, 9), "older ones are dropped");
        assert_eq!(log.last(), EventId { seq: 8, time: 80 });
        assert_eq!((log.bytes, log.besides), (0, 0));
    }
}
