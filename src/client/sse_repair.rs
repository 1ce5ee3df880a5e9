//! Adapts any server's bytes to the event stream parser that reads them.
//!
//! `eventsource-client` deviates from WHATWG HTML 9.2.6: it drops the connection at invalid UTF-8
//! and at a block that sets nothing, takes a field named `comment` for a comment, and tells of an
//! `id` or `retry` only with an event. A [`SseRepair`] stands before it and hands it the same stream
//! with only those lines that it reads as the standard says. What it would not tell, the repair
//! keeps: the last event ID and the reconnection time. What it would only be slow at, the repair
//! takes out of its way: [`bypass`].
//!
//! Knows no sockets.

pub(crate) mod bypass;
mod line;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memchr::{memchr, memchr2, memrchr2};

use bypass::{MARK, Run, Runs};
use line::{Verdict, judge, lines};

/// Upper bound of a line, and of an event, in bytes. A longer one counts as an error, because nothing else bounds a
/// reader's memory.
pub(crate) const LONGEST: usize = 64 << 20;

/// Upper bound of what the parser gets at once, in bytes, if events end there: it splits a piece into all its lines
/// before it looks at the first, and they should still be in the processor's cache.
const PIECE: usize = 8 << 10;

const BOM: &[u8] = b"\xEF\xBB\xBF";
/// An empty `event` field means this name; written out, since the parser takes a block that sets
/// only empty values for an error.
const NAMELESS: &[u8] = b"event: message\n";
/// What nobody reads of a server's comment is left out, so that it cannot pass for a [`MARK`].
const COMMENT: &[u8] = b":\n";

/// A line or an event is longer than [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The state of one response's repair.
#[derive(Debug)]
pub(crate) struct SseRepair {
    /// What came so far of a byte order mark; `None` once the stream is past it.
    mark: Option<Vec<u8>>,
    /// The line whose end has not come.
    line: Vec<u8>,
    /// Whether an LF that comes next belongs to the CR before it.
    after_cr: bool,
    /// How many bytes of the event at hand were passed on; 0 where none is.
    event: usize,
    /// The ID that the event at hand has set.
    set_id: Option<String>,
    last_id: String,
    /// Whether the parser does not know the last event ID, because a plain event has set it.
    is_untold: bool,
    retry: Option<Duration>,
    /// Where plain events go; without it, to the parser like all others.
    runs: Option<Runs>,
}

/// What the parser gets of a line.
enum Passed {
    AsItIs,
    Instead(&'static [u8]),
    Nothing,
}

impl SseRepair {
    /// Begins a response; `last_id` is the last event ID of the one before it, or empty.
    pub(crate) fn new(last_id: String, runs: Option<Runs>) -> Self {
        Self {
            mark: Some(Vec::new()),
            line: Vec::new(),
            after_cr: false,
            event: 0,
            set_id: None,
            last_id,
            is_untold: false,
            retry: None,
            runs,
        }
    }

    /// The last event ID that a finished block has set, even one without data.
    pub(crate) fn last_id(&self) -> &str {
        &self.last_id
    }

    /// The reconnection time that the stream has set, not yet bounded.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Takes the next bytes and appends what the parser may see of them to `out`: whole lines only.
    ///
    /// # Errors
    /// [`TooLong`]; what came before the line stands in `out` nevertheless.
    pub(crate) fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), TooLong> {
        let Some(mut chunk) = self.past_mark(chunk) else {
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
            self.repaired([line.as_slice()].into_iter(), out)?;
            start = self.after_end(&chunk, length);
        }
        let Some(length) = memrchr2(b'\n', b'\r', &chunk[start..]) else {
            return self.keep(&chunk[start..]);
        };
        let end = start + length;
        let rest = self.after_end(&chunk, end);
        let kept = self.keep(&chunk[rest..]);
        chunk.truncate(end + 1);
        // What nobody else holds becomes a string without a copy, if it does so from its beginning:
        // what is done with there must be no half of a character.
        let mut bytes = Vec::from(chunk);
        bytes[..start].fill(b'\n');
        match String::from_utf8(bytes) {
            Ok(text) if memchr2(b'\r', 0, text.as_bytes()).is_none() => {
                self.clean(&Arc::new(text), start, out)?;
            }
            Ok(text) => self.repaired(lines(&text.as_bytes()[start..]), out)?,
            Err(error) => self.repaired(lines(&error.as_bytes()[start..]), out)?,
        }
        kept
    }

    /// Drops the byte order mark that may begin a stream; `None` while it may still be one.
    fn past_mark(&mut self, chunk: Bytes) -> Option<Bytes> {
        let Some(mark) = &mut self.mark else {
            return Some(chunk);
        };
        mark.extend_from_slice(&chunk);
        if mark.len() < BOM.len() && BOM.starts_with(mark) {
            return None;
        }
        let bytes = Bytes::from(self.mark.take()?);
        Some(if bytes.starts_with(BOM) {
            bytes.slice(BOM.len()..)
        } else {
            bytes
        })
    }

    /// Keeps the beginning of a line until its end comes.
    fn keep(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + part.len() > LONGEST {
            return Err(TooLong);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    /// Where what follows the line end at `end` begins, be it CR, LF or CRLF.
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

    /// Lines in UTF-8 that have no NUL and end with LF, from `start` on: passes on whole stretches of
    /// them, but for runs of plain events.
    fn clean(
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
                self.take(run, out);
                (stretch, start) = (next, next);
            }
            let Some(length) = memchr(b'\n', &whole[start..]) else {
                break;
            };
            let end = start + length;
            let (id, told) = self.tell(&whole[start..end]).inspect_err(|_| {
                pass(&whole[stretch..start], out);
            })?;
            if id.is_some() || !matches!(told, Passed::AsItIs) {
                pass(&whole[stretch..start], out);
                out.extend(id.map(Bytes::from));
                stretch = end + 1;
                match told {
                    Passed::AsItIs => stretch = start,
                    Passed::Instead(line) => out.push_back(Bytes::from_static(line)),
                    Passed::Nothing => {}
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

    /// Lines that may be anything: writes them anew, in UTF-8 and with LF.
    fn repaired<'a>(
        &mut self,
        mut lines: impl Iterator<Item = &'a [u8]>,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), TooLong> {
        let mut written = Vec::new();
        let repaired = lines.try_for_each(|line| {
            let (id, told) = self.tell(line)?;
            written.extend(id.into_iter().flatten());
            match told {
                Passed::AsItIs => {
                    written.extend_from_slice(line);
                    written.push(b'\n');
                }
                Passed::Instead(line) => written.extend_from_slice(line),
                Passed::Nothing => {}
            }
            Ok(())
        });
        pass(String::from_utf8_lossy(&written).as_bytes(), out);
        repaired
    }

    /// Takes note of a line, and decides what the parser gets of it, and whether it has to be told the
    /// last event ID first, in a line of its own.
    fn tell(&mut self, line: &[u8]) -> Result<(Option<Vec<u8>>, Passed), TooLong> {
        let begins = self.event == 0;
        let told = match judge(line) {
            Verdict::Drop => Passed::Nothing,
            Verdict::Retry(time) => {
                self.retry = Some(time);
                Passed::Nothing
            }
            Verdict::Comment if line.len() + 1 == COMMENT.len() => Passed::AsItIs,
            Verdict::Comment => Passed::Instead(COMMENT),
            Verdict::Blank => {
                self.event = 0;
                if let Some(id) = self.set_id.take() {
                    self.last_id = id;
                }
                return Ok((None, Passed::AsItIs));
            }
            verdict @ (Verdict::Pass | Verdict::Nameless | Verdict::Id(_)) => {
                self.event += line.len();
                if let Verdict::Id(value) = verdict {
                    self.set_id = Some(String::from_utf8_lossy(&line[value..]).into_owned());
                }
                if matches!(verdict, Verdict::Nameless) {
                    Passed::Instead(NAMELESS)
                } else {
                    Passed::AsItIs
                }
            }
        };
        if self.event > LONGEST {
            return Err(TooLong);
        }
        let is_due = begins && self.event > 0 && std::mem::take(&mut self.is_untold);
        let id = is_due.then(|| format!("id: {}\n", self.last_id).into_bytes());
        Ok((id, told))
    }

    /// Queues a run, and marks its place.
    fn take(&mut self, run: Run, out: &mut VecDeque<Bytes>) {
        if let Some(id) = run.last_id() {
            id.clone_into(&mut self.last_id);
            self.is_untold = true;
        }
        if let Some(runs) = &self.runs {
            runs.push(run);
            out.push_back(Bytes::from(format!(":{MARK}\n")));
        }
    }
}

/// Hands whole lines on, where there are any.
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
    fn plain_events_wait_in_runs_and_a_mark_stands_for_each() {
        let runs = Runs::default();
        let mut repair = SseRepair::new("seed".into(), Some(runs.clone()));
        let mut out = VecDeque::new();
        let stream = "\ndata: a\n\nid: 1\ndata: b\n\n:run\ndata: c\ndata: c\n\ndata: d\n\nid: 2";
        repair.push(stream.into(), &mut out).unwrap();
        let told = out.make_contiguous().concat();
        assert_eq!(
            String::from_utf8(told).unwrap(),
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
    fn an_id_counts_once_its_block_has_ended() {
        for split in 0..12 {
            let all = b"id: 7\n\nid: 8";
            let (_, repair) = repaired(&[&all[..split], &all[split..]]);
            assert_eq!(repair.last_id(), "7");
        }
        assert_eq!(repaired(&[b"id: 7\n", b"\n", b"id\r\r"]).1.last_id(), "");
    }

    #[test]
    fn line_ends_and_split_sequences_come_out_the_same() {
        let all = "\u{feff}data: ä\r\ndata: b\rdata: \u{1F600}\r\n\r\n".as_bytes();
        for split in 0..all.len() {
            let (text, _) = repaired(&[&all[..split], &all[split..]]);
            assert_eq!(text, "data: ä\ndata: b\ndata: \u{1F600}\n\n", "{split}");
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_an_error_and_what_came_before_it_is_not() {
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
