//! Rewrites the bytes of an event stream so that the parser reads them as the standard says.
//!
//! `eventsource-client` deviates from WHATWG HTML 9.2.6: it drops the connection at invalid UTF-8 and at a block without
//! values, treats a field named `comment` as a comment, and reports an `id` or `retry` only with an event. [`SseRepair`]
//! passes on only the lines that the parser reads correctly, and keeps the last event ID and the reconnection time itself.
//! The events that the parser reads correctly but slowly go past it: see [`bypass`].
//!
//! Independent of sockets.

pub(crate) mod bypass;
mod line;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memchr::{memchr, memchr2, memrchr2};

use bypass::{MARK, Run, Runs};
use line::{Verdict, judge, lines};

/// Upper bound of a line, and of an event, in bytes. A longer one is an error, because nothing else bounds the memory.
pub(crate) const LONGEST: usize = 64 << 20;

/// Size at which the parser's input is split after an event, in bytes. The parser first splits a piece into lines; they
/// should still be in the processor's cache when it reads them.
const PIECE: usize = 8 << 10;

const BOM: &[u8] = b"\xEF\xBB\xBF";
/// What replaces an empty `event` field, which means the same: to the parser, a block with only empty values is an error.
const NAMELESS: &[u8] = b"event: message\n";
/// What replaces a server's comment, so that it cannot be mistaken for a [`MARK`]. Nobody reads its text.
const COMMENT: &[u8] = b":\n";

/// A line or an event is longer than [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The state of one response's repair.
#[derive(Debug)]
pub(crate) struct SseRepair {
    /// The part of a byte order mark that has arrived; `None` after the start of the stream.
    bom: Option<Vec<u8>>,
    /// The line whose end has not arrived.
    line: Vec<u8>,
    /// Whether the last byte was a CR, to which a following LF belongs.
    after_cr: bool,
    /// The number of bytes of the current event so far; 0 between events.
    event: usize,
    /// The ID that the current event has set.
    set_id: Option<String>,
    last_id: String,
    /// Whether the parser does not know the last event ID, because a bypassed event has set it.
    parser_lacks_id: bool,
    retry: Option<Duration>,
    /// The queue for plain events; without it, the parser gets them as well.
    runs: Option<Runs>,
}

/// What the parser gets for a line.
enum Passed {
    Unchanged,
    Replaced(&'static [u8]),
    Dropped,
}

impl SseRepair {
    /// Returns the state at the start of a response. `last_id` is the last event ID before it, or empty.
    pub(crate) fn new(last_id: String, runs: Option<Runs>) -> Self {
        Self {
            bom: Some(Vec::new()),
            line: Vec::new(),
            after_cr: false,
            event: 0,
            set_id: None,
            last_id,
            parser_lacks_id: false,
            retry: None,
            runs,
        }
    }

    /// Returns the last event ID that a complete block has set, even one without data.
    pub(crate) fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Returns the reconnection time that the stream has set, without bounds.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Processes the next bytes, and appends what the parser gets of them to `out`, in whole lines.
    ///
    /// # Errors
    /// [`TooLong`]; `out` has the lines before it nevertheless.
    pub(crate) fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), TooLong> {
        let Some(mut chunk) = self.without_bom(chunk) else {
            return Ok(());
        };
        let mut start = 0;
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            start = usize::from(chunk[0] == b'\n');
        }
        if !self.line.is_empty() {
            let Some(length) = memchr2(b'\n', b'\r', &chunk) else {
                return self.keep(&chunk);
            };
            self.keep(&chunk[..length])?;
            let line = std::mem::take(&mut self.line);
            self.push_repaired([line.as_slice()].into_iter(), out)?;
            start = self.after_end(&chunk, length);
        }
        let Some(length) = memrchr2(b'\n', b'\r', &chunk[start..]) else {
            return self.keep(&chunk[start..]);
        };
        let end = start + length;
        let rest = self.after_end(&chunk, end);
        let kept = self.keep(&chunk[rest..]);
        chunk.truncate(end + 1);
        // Bytes that nobody shares become a string without a copy, but only as a whole; the part that is processed already
        // may begin within a character, so it is overwritten.
        let mut bytes = Vec::from(chunk);
        bytes[..start].fill(b'\n');
        match String::from_utf8(bytes) {
            Ok(text) if memchr2(b'\r', 0, text.as_bytes()).is_none() => {
                self.push_clean(&Arc::new(text), start, out)?;
            }
            Ok(text) => self.push_repaired(lines(&text.as_bytes()[start..]), out)?,
            Err(error) => self.push_repaired(lines(&error.as_bytes()[start..]), out)?,
        }
        kept
    }

    /// Drops a byte order mark at the start of the stream; returns `None` until it is clear whether there is one.
    fn without_bom(&mut self, chunk: Bytes) -> Option<Bytes> {
        let Some(bom) = &mut self.bom else {
            return Some(chunk);
        };
        bom.extend_from_slice(&chunk);
        if bom.len() < BOM.len() && BOM.starts_with(bom) {
            return None;
        }
        let bytes = Bytes::from(self.bom.take()?);
        Some(if bytes.starts_with(BOM) {
            bytes.slice(BOM.len()..)
        } else {
            bytes
        })
    }

    /// Keeps the beginning of a line until its end arrives.
    fn keep(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + part.len() > LONGEST {
            return Err(TooLong);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    /// Returns the position after the line end at `end`, which may be CR, LF or CRLF.
    fn after_end(&mut self, chunk: &[u8], end: usize) -> usize {
        let next = end + 1;
        if chunk[end] == b'\r' {
            match chunk.get(next) {
                Some(b'\n') => return next + 1,
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        next
    }

    /// Processes lines, from `start` on, that are in UTF-8, have no NUL and end with LF. Passes on long stretches of them
    /// unchanged, without the runs of plain events.
    fn push_clean(
        &mut self,
        text: &Arc<String>,
        mut start: usize,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), TooLong> {
        let mut stretch = start;
        let whole = text.as_bytes();
        while start < whole.len() {
            if self.runs.is_some()
                && self.event == 0
                && let Some((run, next)) = Run::at(text, start, &self.last_id)
            {
                pass(&whole[stretch..start], out);
                self.queue(run, out);
                (stretch, start) = (next, next);
            }
            let Some(length) = memchr(b'\n', &whole[start..]) else {
                break;
            };
            let end = start + length;
            let (id, passed) = self.note(&whole[start..end]).inspect_err(|_| {
                pass(&whole[stretch..start], out);
            })?;
            if id.is_some() || !matches!(passed, Passed::Unchanged) {
                pass(&whole[stretch..start], out);
                out.extend(id.map(Bytes::from));
                stretch = end + 1;
                match passed {
                    Passed::Unchanged => stretch = start,
                    Passed::Replaced(line) => out.push_back(Bytes::from_static(line)),
                    Passed::Dropped => {}
                }
            }
            start = end + 1;
            if self.event == 0 && start - stretch > PIECE {
                pass(&whole[stretch..start], out);
                stretch = start;
            }
        }
        pass(&whole[stretch..], out);
        Ok(())
    }

    /// Processes any lines: writes them anew, in UTF-8 and with LF.
    fn push_repaired<'a>(
        &mut self,
        mut lines: impl Iterator<Item = &'a [u8]>,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), TooLong> {
        let mut written = Vec::new();
        let repaired = lines.try_for_each(|line| {
            let (id, passed) = self.note(line)?;
            written.extend(id.into_iter().flatten());
            match passed {
                Passed::Unchanged => {
                    written.extend_from_slice(line);
                    written.push(b'\n');
                }
                Passed::Replaced(line) => written.extend_from_slice(line),
                Passed::Dropped => {}
            }
            Ok(())
        });
        pass(String::from_utf8_lossy(&written).as_bytes(), out);
        repaired
    }

    /// Updates the state by a line. Returns what the parser gets for it, and the line that must come before it if the
    /// parser does not know the last event ID.
    fn note(&mut self, line: &[u8]) -> Result<(Option<Vec<u8>>, Passed), TooLong> {
        let begins = self.event == 0;
        let passed = match judge(line) {
            Verdict::Drop => Passed::Dropped,
            Verdict::Retry(time) => {
                self.retry = Some(time);
                Passed::Dropped
            }
            Verdict::Comment if line.len() + 1 == COMMENT.len() => Passed::Unchanged,
            Verdict::Comment => Passed::Replaced(COMMENT),
            Verdict::Blank => {
                self.event = 0;
                if let Some(id) = self.set_id.take() {
                    self.last_id = id;
                }
                return Ok((None, Passed::Unchanged));
            }
            verdict @ (Verdict::Pass | Verdict::Nameless | Verdict::Id(_)) => {
                self.event += line.len();
                if let Verdict::Id(value) = verdict {
                    self.set_id = Some(String::from_utf8_lossy(&line[value..]).into_owned());
                }
                if matches!(verdict, Verdict::Nameless) {
                    Passed::Replaced(NAMELESS)
                } else {
                    Passed::Unchanged
                }
            }
        };
        if self.event > LONGEST {
            return Err(TooLong);
        }
        let is_due = begins && self.event > 0 && std::mem::take(&mut self.parser_lacks_id);
        let id = is_due.then(|| format!("id: {}\n", self.last_id).into_bytes());
        Ok((id, passed))
    }

    /// Queues a run, and gives the parser its mark.
    fn queue(&mut self, run: Run, out: &mut VecDeque<Bytes>) {
        if let Some(id) = run.last_id() {
            id.clone_into(&mut self.last_id);
            self.parser_lacks_id = true;
        }
        if let Some(runs) = &self.runs {
            runs.push(run);
            out.push_back(Bytes::from(format!(":{MARK}\n")));
        }
    }
}

/// Appends lines, unless there are none.
fn pass(lines: &[u8], out: &mut VecDeque<Bytes>) {
    if !lines.is_empty() {
        out.push_back(Bytes::copy_from_slice(lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(chunks: &[&[u8]]) -> (String, SseRepair) {
        let mut repair = SseRepair::new("seed".into(), None);
        let mut out = VecDeque::new();
        for chunk in chunks {
            repair
                .push(Bytes::copy_from_slice(chunk), &mut out)
                .unwrap();
        }
        let all: Vec<u8> = out.into_iter().flatten().collect();
        (String::from_utf8(all).unwrap(), repair)
    }

    #[test]
    fn each_run_of_plain_events_is_queued_and_replaced_by_a_mark() {
        let runs = Runs::default();
        let mut repair = SseRepair::new("seed".into(), Some(runs.clone()));
        let mut out = VecDeque::new();
        let stream = "\ndata: a\n\nid: 1\ndata: b\n\n:run\ndata: c\ndata: c\n\ndata: d\n\nid: 2";
        repair.push(stream.into(), &mut out).unwrap();
        let passed = out.make_contiguous().concat();
        assert_eq!(
            String::from_utf8(passed).unwrap(),
            "\n:run\n:\nid: 1\ndata: c\ndata: c\n\n:run\n"
        );
        let mut events = Vec::new();
        while let Some(mut run) = runs.pop() {
            while let Some(event) = run.next() {
                events.push(format!("{} {}", event.id, event.data));
            }
        }
        assert_eq!(events, ["seed a", "1 b", "1 d"]);
        assert_eq!(repair.last_id(), "1");
    }

    #[test]
    fn lines_that_the_parser_misreads_are_dropped() {
        let (text, repair) = repaired(&[
            b"comment: no\nfoo\nretry: x\nretry: 7\nretry: +9\nid: a\0b\nevent:\ndata: 1\n\n",
        ]);
        assert_eq!(text, "event: message\ndata: 1\n\n");
        assert_eq!(repair.retry(), Some(Duration::from_millis(7)));
        assert_eq!(repair.last_id(), "seed");
    }

    #[test]
    fn an_id_is_the_last_event_id_once_its_block_has_ended() {
        for split in 0..12 {
            let all = b"id: 7\n\nid: 8";
            let (_, repair) = repaired(&[&all[..split], &all[split..]]);
            assert_eq!(repair.last_id(), "7");
        }
        assert_eq!(repaired(&[b"id: 7\n", b"\n", b"id\r\r"]).1.last_id(), "");
    }

    #[test]
    fn line_ends_become_lf_and_split_characters_are_joined() {
        let all = "\u{feff}data: ä\r\ndata: b\rdata: \u{1F600}\r\n\r\n".as_bytes();
        for split in 0..all.len() {
            let (text, _) = repaired(&[&all[..split], &all[split..]]);
            assert_eq!(text, "data: ä\ndata: b\ndata: \u{1F600}\n\n", "{split}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_an_error_and_the_lines_before_it_are_passed_on() {
        let mut repair = SseRepair::new(String::new(), None);
        let mut out = VecDeque::new();
        let start = Bytes::from_static(b"data: a\n\ndata: ");
        repair.push(start, &mut out).unwrap();
        let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
        let pushed = (0..=64).try_for_each(|_| repair.push(megabyte.clone(), &mut out));
        assert_eq!(pushed, Err(TooLong));
        assert_eq!(out.make_contiguous().concat(), b"data: a\n\n");
    }
}
