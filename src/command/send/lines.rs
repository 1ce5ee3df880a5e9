//! Splits input into lines for people: an incomplete line is sent after a short time, and of a progress line that
//! overwrites itself only some versions.
//!
//! Pure: bytes and the time come in, batches come out.

use std::mem;
use std::time::{Duration, Instant};

use super::batch::{Batch, Cutter, PIECE_BYTES};
use super::unmarked::Unmarked;
use crate::message::Message;

/// Time after which an incomplete line is sent.
const UNFINISHED: Duration = Duration::from_millis(250);
/// Shortest time between two versions of a line that overwrites itself.
const BETWEEN_VERSIONS: Duration = Duration::from_secs(1);

/// Buffer size of many programs that write to a pipe, in bytes; larger buffers are multiples of it.
const BUFFER_BYTES: usize = 4096;

/// Splits input into messages.
pub(super) struct Lines {
    unmarked: Unmarked,
    cutter: Cutter,
    /// The bytes since the last LF or CR.
    current: Vec<u8>,
    returned: Returned,
    /// When a version of this line was last sent, and a piece of it that has no end.
    sent: Option<Instant>,
    flushed: Option<Instant>,
    /// Since when `current` has been known to lack its end.
    waiting_since: Option<Instant>,
    /// How many bytes have come.
    taken: usize,
}

/// The current line's text before the last CR.
enum Returned {
    Nothing,
    /// A version that is held back, since the next one may follow too soon.
    Held(Vec<u8>),
    /// A version that was sent.
    Sent,
}

impl Lines {
    /// Creates a splitter whose messages are like `prototype` but for their text.
    pub(super) fn new(prototype: Message) -> Self {
        Self {
            unmarked: Unmarked::new(),
            cutter: Cutter::new(prototype),
            current: Vec::new(),
            returned: Returned::Nothing,
            sent: None,
            flushed: None,
            waiting_since: None,
            taken: 0,
        }
    }

    /// Returns the messages that these bytes complete.
    pub(super) fn push(&mut self, bytes: &[u8], now: Instant) -> Batch {
        self.taken = self.taken.wrapping_add(bytes.len());
        let bytes = &*self.unmarked.push(bytes);
        let is_plain =
            matches!(self.returned, Returned::Nothing) && memchr::memchr(b'\r', bytes).is_none();
        let mut batch = if is_plain {
            self.plain(bytes)
        } else {
            self.overwriting(bytes)
        };
        if self.current.len() > PIECE_BYTES {
            // Too long to be held back until it is overwritten.
            batch.append(self.current_in_pieces());
        }
        batch.append(self.version(now));
        batch
    }

    /// Returns when something is to be sent unless it is completed before. The time counts only from the first such
    /// call: without looking, nobody knows that no end came.
    pub(super) fn due(&mut self, now: Instant) -> Option<Instant> {
        let version = self.sent.map(|it| it + BETWEEN_VERSIONS);
        let held = version.filter(|_| matches!(self.returned, Returned::Held(_)));
        if self.current.is_empty() || self.is_cut_by_a_buffer() {
            return held;
        }
        let unfinished = *self.waiting_since.get_or_insert(now) + UNFINISHED;
        let unfinished = version.map_or(unfinished, |it| it.max(unfinished));
        Some(held.map_or(unfinished, |it| it.min(unfinished)))
    }

    /// Returns what is due.
    pub(super) fn expire(&mut self, now: Instant) -> Batch {
        let is_unfinished = self.waiting_since.is_some_and(|it| now >= it + UNFINISHED);
        if self.current.is_empty() || !is_unfinished {
            return self.version(now);
        }
        let current = self.take_current();
        if !matches!(self.returned, Returned::Nothing) {
            // The newest version replaces one that is held.
            self.returned = Returned::Held(current);
            return self.version(now);
        }
        let mut batch = self.cutter.push(&current);
        batch.append(self.cutter.flush());
        self.flushed = Some(now);
        batch
    }

    /// Returns the rest, at the end of the input.
    pub(super) fn finish(&mut self) -> Batch {
        self.current.extend(self.unmarked.finish());
        let last = mem::replace(&mut self.returned, Returned::Nothing);
        let mut batch = match last {
            Returned::Held(version) if self.current.is_empty() => self.line(version),
            _ => self.current_in_pieces(),
        };
        batch.append(self.cutter.finish());
        batch
    }

    /// Handles bytes without CR, on a line without CR so far.
    fn plain(&mut self, bytes: &[u8]) -> Batch {
        let end = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let (lines, rest) = bytes.split_at(end);
        let mut batch = Batch::default();
        if !lines.is_empty() {
            (self.sent, self.flushed) = (None, None);
            if !self.current.is_empty() {
                batch = self.current_in_pieces();
            }
            batch.append(self.cutter.push(lines));
        }
        self.current.extend_from_slice(rest);
        batch
    }

    fn overwriting(&mut self, bytes: &[u8]) -> Batch {
        let mut batch = Batch::default();
        let mut start = 0;
        for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
            self.current.extend_from_slice(&bytes[start..at]);
            start = at + 1;
            if bytes[at] == b'\n' {
                batch.append(self.end_line());
            } else if !self.current.is_empty() {
                self.returned = Returned::Held(self.take_current());
            } else if let Some(flushed) = self.flushed.take() {
                // The part that was sent was its first version.
                batch.append(self.cutter.push(b"\n"));
                self.returned = Returned::Sent;
                self.sent = Some(flushed);
            }
        }
        self.current.extend_from_slice(&bytes[start..]);
        batch
    }

    /// Handles LF: the line says what stands there now.
    fn end_line(&mut self) -> Batch {
        let returned = mem::replace(&mut self.returned, Returned::Nothing);
        (self.sent, self.flushed) = (None, None);
        let current = self.take_current();
        match returned {
            Returned::Held(version) if current.is_empty() => self.line(version),
            Returned::Sent if current.is_empty() => Batch::default(),
            _ => self.line(current),
        }
    }

    /// Returns the version that is held back, if it is time.
    fn version(&mut self, now: Instant) -> Batch {
        if self.sent.is_some_and(|it| now < it + BETWEEN_VERSIONS) {
            return Batch::default();
        }
        let held = match &mut self.returned {
            Returned::Held(version) => mem::take(version),
            _ => return Batch::default(),
        };
        self.returned = Returned::Sent;
        self.sent = Some(now);
        self.line(held)
    }

    /// Returns whether the line is probably incomplete only because its program writes whole buffers to a pipe; the
    /// rest is then in the next buffer.
    fn is_cut_by_a_buffer(&self) -> bool {
        self.taken.is_multiple_of(BUFFER_BYTES) && self.current.len() < BUFFER_BYTES
    }

    fn take_current(&mut self) -> Vec<u8> {
        self.waiting_since = None;
        mem::take(&mut self.current)
    }

    fn current_in_pieces(&mut self) -> Batch {
        let current = self.take_current();
        self.cutter.push(&current)
    }

    fn line(&mut self, mut text: Vec<u8>) -> Batch {
        text.push(b'\n');
        self.cutter.push(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::json;

    const MILLI: Duration = Duration::from_millis(1);

    fn texts(batch: Batch) -> Vec<String> {
        let body = String::from_utf8(batch.body).unwrap();
        let lines = body.lines().map(|it| json::parse_line(it).unwrap().text);
        lines.collect()
    }

    fn lines() -> (Lines, Instant) {
        (Lines::new(Message::default()), Instant::now())
    }

    #[test]
    fn an_unfinished_line_is_sent_after_a_while_and_its_end_is_no_message() {
        let (mut lines, now) = lines();
        assert_eq!(texts(lines.push(b"Password: ", now)), [""; 0]);
        let due = lines.due(now).unwrap();
        assert_eq!(due, now + UNFINISHED);
        let before = now + UNFINISHED / 2;
        assert_eq!(texts(lines.expire(before)), [""; 0]);
        assert_eq!(texts(lines.expire(due)), ["Password: "]);
        assert_eq!(lines.due(due), None);
        assert_eq!(texts(lines.push(b"\nnext\n", due)), ["next"]);
        lines.push(b"two", due);
        let since = due + 10 * UNFINISHED;
        assert_eq!(lines.due(since), Some(since + UNFINISHED), "nobody looked");
        assert_eq!(texts(lines.push(b" parts\n", since)), ["two parts"]);
    }

    #[test]
    fn a_growing_line_is_sent_up_to_its_current_end() {
        let (mut lines, start) = lines();
        let mut sent = Vec::new();
        for tenth in 0..10 {
            let now = start + tenth * 100 * MILLI;
            sent.extend(texts(lines.push(b".", now)));
            while let Some(due) = lines.due(now).filter(|due| *due < now + 100 * MILLI) {
                sent.extend(texts(lines.expire(due)));
            }
        }
        assert_eq!(sent, ["...", "...", "..."]);
    }

    #[test]
    fn a_line_that_is_cut_by_its_writers_buffer_is_waited_for() {
        let (mut lines, now) = lines();
        let text = format!("{}\nthe rest", "x".repeat(BUFFER_BYTES - 9));
        assert_eq!(texts(lines.push(text.as_bytes(), now)).len(), 1);
        assert_eq!(lines.due(now), None);
        assert_eq!(texts(lines.push(b" of it\n", now)), ["the rest of it"]);
        let mut lines = Lines::new(Message::default());
        lines.push(&[b'x'; BUFFER_BYTES], now);
        assert!(lines.due(now).is_some(), "none of it has an end");
    }

    #[test]
    fn an_empty_line_after_an_unfinished_one_is_a_message() {
        for end in ["\n\n", "\r\n\r\n"] {
            let (mut lines, now) = lines();
            lines.push(b"Name: ", now);
            let due = lines.due(now).unwrap();
            assert_eq!(texts(lines.expire(due)), ["Name: "]);
            assert_eq!(texts(lines.push(end.as_bytes(), due)), [""], "{end:?}");
        }
    }

    #[test]
    fn an_overwritten_line_is_thinned_to_one_a_second_and_its_last_version_is_sent() {
        let (mut lines, start) = lines();
        let mut sent = Vec::new();
        for percent in 0..=100_u32 {
            // 50 a second.
            let now = start + percent * 20 * MILLI;
            sent.extend(texts(lines.push(format!("{percent} %\r").as_bytes(), now)));
        }
        assert_eq!(sent, ["0 %", "50 %", "100 %"]);
        assert_eq!(texts(lines.push(b"\n", start + 2001 * MILLI)), [""; 0]);

        let next = start + 2010 * MILLI;
        assert_eq!(texts(lines.push(b"first\r", next)), ["first"]);
        let soon = next + 10 * MILLI;
        assert_eq!(texts(lines.push(b"a\rb\r", soon)), [""; 0]);
        let due = lines.due(soon).unwrap();
        assert_eq!(due, next + BETWEEN_VERSIONS);
        assert_eq!(
            texts(lines.expire(due)),
            ["b"],
            "also where nothing follows"
        );
        assert_eq!(texts(lines.push(b"c\r", due + MILLI)), [""; 0]);
        assert_eq!(texts(lines.finish()), ["c"]);
    }

    #[test]
    fn versions_that_follow_their_return_are_one_a_second_too() {
        let (mut lines, start) = lines();
        let mut sent = Vec::new();
        for step in 0..=8_u32 {
            let now = start + step * 300 * MILLI;
            let text = if step == 0 {
                "0 %".into()
            } else {
                format!("\r{step} %")
            };
            sent.extend(texts(lines.push(text.as_bytes(), now)));
            if let Some(due) = lines.due(now).filter(|due| *due < now + 300 * MILLI) {
                sent.extend(texts(lines.expire(due)));
            }
        }
        assert_eq!(sent, ["0 %", "3 %", "6 %"]);
        assert_eq!(texts(lines.push(b"\n", start + 2500 * MILLI)), ["8 %"]);
    }

    #[test]
    fn a_return_may_come_before_or_after_the_text() {
        let (mut lines, now) = lines();
        assert_eq!(texts(lines.push(b"\r1 of 3", now)), [""; 0]);
        assert_eq!(texts(lines.push(b"\r2 of 3", now)), ["1 of 3"]);
        assert_eq!(
            texts(lines.push(b"\r3 of 3\ndone\n", now)),
            ["3 of 3", "done"]
        );
    }

    #[test]
    fn a_terminals_line_ends_are_line_ends_wherever_they_are_cut() {
        let all = b"one\r\n\r\ntwo\r\r\nthree\r\n";
        for cut in 0..all.len() {
            let (mut lines, now) = lines();
            let mut batch = lines.push(&all[..cut], now);
            batch.append(lines.push(&all[cut..], now));
            batch.append(lines.finish());
            assert_eq!(texts(batch), ["one", "", "two", "three"], "{cut}");
        }
    }

    proptest! {
        #[test]
        fn without_returns_every_line_arrives_however_it_is_cut(
            text in "[a-zü\n]{0,60}",
            cuts in prop::collection::vec(0usize..120, 0..5),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|it| it.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut lines, now) = lines();
            let mut batch = Batch::default();
            for cut in cuts.windows(2) {
                batch.append(lines.push(&bytes[cut[0]..cut[1]], now));
            }
            batch.append(lines.finish());
            let expected: Vec<_> = text.lines().collect();
            prop_assert_eq!(texts(batch), expected);
        }
    }
}
