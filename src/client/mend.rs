//! Makes any server's bytes fit for the event stream parser that reads them.
//!
//! `eventsource-client` deviates from WHATWG HTML 9.2.6: it drops the connection at invalid UTF-8
//! and at a block that sets nothing, takes a field named `comment` for a comment, and tells of an
//! `id` or `retry` only with an event. A [`Mender`] stands before it and hands it the same stream
//! with only those lines that it reads as the standard says. What it would not tell, the mender
//! keeps: the last event ID and the reconnection time.
//!
//! Knows no sockets. Stretches that need no mending are passed on without being copied.

use std::{collections::VecDeque, ops::Range, time::Duration};

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memchr2, memrchr2};

/// The longest line, and the longest event, in bytes. Beyond it the stream is taken for broken,
/// since nothing else bounds what a reader must hold.
pub(crate) const LONGEST: usize = 64 << 20;

/// What the parser is handed at once, in bytes, where events end there: it takes a piece apart into
/// all its lines before it looks at the first, and they should still be in the processor's cache.
const PIECE: usize = 8 << 10;

const BOM: &[u8] = b"\xEF\xBB\xBF";
/// An empty `event` field means this name; written out, since the parser takes a block that sets
/// only empty values for an error.
const NAMELESS: &[u8] = b"event: message";

/// A line or an event is longer than [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The state of one response's mending.
#[derive(Debug)]
pub(crate) struct Mender {
    /// What came so far of a byte order mark; `None` once the stream is past it.
    mark: Option<Vec<u8>>,
    /// The line whose end has not come.
    line: Vec<u8>,
    /// Whether an LF that comes next belongs to the CR before it.
    after_cr: bool,
    /// How many bytes of the event at hand were passed on.
    event: usize,
    /// The ID that the event at hand has set.
    set_id: Option<String>,
    last_id: String,
    retry: Option<Duration>,
}

/// What to do with a line.
enum Verdict {
    Pass,
    /// Belongs to no event, so any number of them may stand in one.
    Comment,
    Drop,
    Nameless,
    Blank,
    Id(usize),
}

impl Mender {
    /// Begins a response; `last_id` is the last event ID of the one before it, or empty.
    pub(crate) fn new(last_id: String) -> Self {
        Self {
            mark: Some(Vec::new()),
            line: Vec::new(),
            after_cr: false,
            event: 0,
            set_id: None,
            last_id,
            retry: None,
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
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            if chunk[0] == b'\n' {
                chunk = chunk.slice(1..);
            }
        }
        if !self.line.is_empty() {
            let Some(end) = memchr2(b'\n', b'\r', &chunk) else {
                return self.keep(&chunk);
            };
            self.keep(&chunk[..end])?;
            let line = std::mem::take(&mut self.line);
            self.mended([line.as_slice()].into_iter(), out)?;
            chunk = self.after_end(&chunk, end);
        }
        let Some(end) = memrchr2(b'\n', b'\r', &chunk) else {
            return self.keep(&chunk);
        };
        let (whole, rest) = (chunk.slice(..=end), self.after_end(&chunk, end));
        let has_cr = memchr(b'\r', &whole).is_some();
        if has_cr || std::str::from_utf8(&whole).is_err() {
            self.mended(lines(&whole), out)?;
        } else {
            self.clean(&whole, out)?;
        }
        self.keep(&rest)
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

    /// What follows the line end at `end`, be it CR, LF or CRLF.
    fn after_end(&mut self, chunk: &Bytes, end: usize) -> Bytes {
        let mut next = end + 1;
        if chunk[end] == b'\r' {
            match chunk.get(next) {
                Some(b'\n') => next += 1,
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        chunk.slice(next..)
    }

    /// Lines in UTF-8 that end with LF: passes on whole stretches of them.
    fn clean(&mut self, whole: &Bytes, out: &mut VecDeque<Bytes>) -> Result<(), TooLong> {
        let (mut stretch, mut start) = (0, 0);
        let (mut set, mut told) = (None, None);
        for end in memchr_iter(b'\n', whole) {
            let line = start..end;
            match self.judge(&whole[line.clone()]) {
                Verdict::Pass => self.event += line.len(),
                Verdict::Comment => {}
                Verdict::Blank => {
                    self.event = 0;
                    if set.is_some() {
                        told = set.take();
                    } else if let Some(id) = self.set_id.take() {
                        self.last_id = id;
                    }
                    if end - stretch >= PIECE {
                        pass(whole, stretch..end + 1, out);
                        stretch = end + 1;
                    }
                }
                Verdict::Id(value) => {
                    self.set_id = None;
                    set = Some(line.start + value..end);
                }
                verdict @ (Verdict::Drop | Verdict::Nameless) => {
                    pass(whole, stretch..start, out);
                    if matches!(verdict, Verdict::Nameless) {
                        out.push_back(Bytes::from_static(b"event: message\n"));
                    }
                    stretch = end + 1;
                }
            }
            start = end + 1;
            if self.event > LONGEST {
                pass(whole, stretch..line.start, out);
                return Err(TooLong);
            }
        }
        pass(whole, stretch..whole.len(), out);
        let text = |range: Range<usize>| String::from_utf8_lossy(&whole[range]).into_owned();
        if let Some(told) = told {
            self.last_id = text(told);
        }
        if let Some(set) = set {
            self.set_id = Some(text(set));
        }
        Ok(())
    }

    /// Lines that may be anything: writes them anew, in UTF-8 and with LF.
    fn mended<'a>(
        &mut self,
        lines: impl Iterator<Item = &'a [u8]>,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), TooLong> {
        let mut written = Vec::new();
        for line in lines {
            let passed = match self.judge(line) {
                Verdict::Drop => continue,
                Verdict::Comment => line,
                Verdict::Pass => {
                    self.event += line.len();
                    line
                }
                Verdict::Nameless => NAMELESS,
                Verdict::Blank => {
                    self.event = 0;
                    if let Some(id) = self.set_id.take() {
                        self.last_id = id;
                    }
                    line
                }
                Verdict::Id(value) => {
                    self.set_id = Some(String::from_utf8_lossy(&line[value..]).into_owned());
                    line
                }
            };
            if self.event > LONGEST {
                pass(&Bytes::from(written), 0..usize::MAX, out);
                return Err(TooLong);
            }
            written.extend_from_slice(String::from_utf8_lossy(passed).as_bytes());
            written.push(b'\n');
        }
        pass(&Bytes::from(written), 0..usize::MAX, out);
        Ok(())
    }

    /// Decides on one line without its end, and takes a `retry` for itself.
    fn judge(&mut self, line: &[u8]) -> Verdict {
        match line.first() {
            None => Verdict::Blank,
            Some(b':') => Verdict::Comment,
            Some(b'd') => value(line, b"data").map_or(Verdict::Drop, |_| Verdict::Pass),
            Some(b'e') => match value(line, b"event") {
                None => Verdict::Drop,
                Some(at) if at == line.len() => Verdict::Nameless,
                Some(_) => Verdict::Pass,
            },
            Some(b'i') => match value(line, b"id") {
                Some(at) if memchr(0, &line[at..]).is_none() => Verdict::Id(at),
                _ => Verdict::Drop,
            },
            Some(b'r') => {
                if let Some(at) = value(line, b"retry") {
                    self.retry = milliseconds(&line[at..]).or(self.retry);
                }
                Verdict::Drop
            }
            Some(_) => Verdict::Drop,
        }
    }
}

/// Where the value of the field `name` begins; `None` where the line is another field's.
fn value(line: &[u8], name: &[u8]) -> Option<usize> {
    match line.strip_prefix(name)? {
        [] => Some(line.len()),
        [b':', b' ', ..] => Some(name.len() + 2),
        [b':', ..] => Some(name.len() + 1),
        _ => None,
    }
}

/// Only digits count (WHATWG HTML 9.2.6); a number beyond all bounds is the greatest.
fn milliseconds(digits: &[u8]) -> Option<Duration> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some(Duration::from_millis(value))
}

/// The lines of text that ends with a line end, whichever it is.
fn lines(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr2(b'\n', b'\r', text)?;
        let line = &text[..end];
        let crlf = text[end..].starts_with(b"\r\n");
        text = &text[end + 1 + usize::from(crlf)..];
        Some(line)
    })
}

fn pass(bytes: &Bytes, range: Range<usize>, out: &mut VecDeque<Bytes>) {
    let range = range.start..range.end.min(bytes.len());
    if !range.is_empty() {
        out.push_back(bytes.slice(range));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(chunks: &[&[u8]]) -> (String, Mender) {
        let mut mender = Mender::new("seed".into());
        let mut out = VecDeque::new();
        for chunk in chunks {
            mender
                .push(Bytes::copy_from_slice(chunk), &mut out)
                .unwrap();
        }
        let all: Vec<u8> = out.into_iter().flatten().collect();
        (String::from_utf8(all).unwrap(), mender)
    }

    #[test]
    fn a_clean_chunk_passes_without_a_copy() {
        let chunk = Bytes::from_static(b"id: 1\nevent: debug\ndata: a\n\n");
        let mut mender = Mender::new(String::new());
        let mut out = VecDeque::new();
        mender
            .push(Bytes::from_static(b"\n\n\n"), &mut out)
            .unwrap();
        out.clear();
        mender.push(chunk.clone(), &mut out).unwrap();
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].as_ptr(), chunk.as_ptr());
        assert_eq!(mender.last_id(), "1");
    }

    #[test]
    fn lines_that_the_parser_misreads_are_dropped() {
        let (text, mender) = mend(&[
            b"comment: no\nfoo\nretry: x\nretry: 7\nretry: +9\nid: a\0b\nevent:\ndata: 1\n\n",
        ]);
        assert_eq!(text, "event: message\ndata: 1\n\n");
        assert_eq!(mender.retry(), Some(Duration::from_millis(7)));
        assert_eq!(mender.last_id(), "seed");
    }

    #[test]
    fn an_id_counts_once_its_block_has_ended() {
        for split in 0..12 {
            let all = b"id: 7\n\nid: 8";
            let (_, mender) = mend(&[&all[..split], &all[split..]]);
            assert_eq!(mender.last_id(), "7");
        }
        assert_eq!(mend(&[b"id: 7\n", b"\n", b"id\r\r"]).1.last_id(), "");
    }

    #[test]
    fn line_ends_and_split_sequences_come_out_the_same() {
        let all = "\u{feff}data: ä\r\ndata: b\rdata: \u{1F600}\r\n\r\n".as_bytes();
        for split in 0..all.len() {
            let (text, _) = mend(&[&all[..split], &all[split..]]);
            assert_eq!(text, "data: ä\ndata: b\ndata: \u{1F600}\n\n", "{split}");
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_an_error_and_what_came_before_it_is_not() {
        let mut mender = Mender::new(String::new());
        let mut out = VecDeque::new();
        let start = Bytes::from_static(b"data: a\n\ndata: ");
        mender.push(start, &mut out).unwrap();
        let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
        let pushed = (0..=64).try_for_each(|_| mender.push(megabyte.clone(), &mut out));
        assert_eq!(pushed, Err(TooLong));
        assert_eq!(out.make_contiguous().concat(), b"data: a\n\n");
    }
}
