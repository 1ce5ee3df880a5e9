//! Splits lines into messages, and encodes messages as NDJSON.

use std::mem;

use crate::message::Message;
use crate::wire::json;

/// Longest text of one message, in bytes: the server's default limit. A longer line is sent in pieces.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// NDJSON that is ready to be sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) body: Vec<u8>,
    pub(super) lines: u64,
}

impl Batch {
    /// Creates a batch of one message.
    pub(super) fn of(message: &Message) -> Self {
        let mut batch = Self::default();
        batch.push(message);
        batch
    }

    fn push(&mut self, message: &Message) {
        json::push_line(&mut self.body, message);
        self.lines += 1;
    }

    pub(super) fn append(&mut self, mut more: Batch) {
        self.body.append(&mut more.body);
        self.lines += more.lines;
    }
}

/// Splits input into messages. Holds back at most one piece of an incomplete line.
pub(super) struct Cutter {
    prototype: Message,
    partial: Vec<u8>,
    /// Whether a piece of the current line has been sent already.
    in_pieces: bool,
}

impl Cutter {
    pub(super) fn new(prototype: Message) -> Self {
        Self {
            prototype,
            partial: Vec::new(),
            in_pieces: false,
        }
    }

    /// Returns the messages that these bytes complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Batch {
        let mut batch = Batch::default();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            self.end_line(&bytes[start..end], &mut batch);
            start = end + 1;
        }
        self.partial.extend_from_slice(&bytes[start..]);
        while self.partial.len() > PIECE_BYTES {
            let rest = self
                .partial
                .split_off(whole_characters(&self.partial[..PIECE_BYTES]));
            let piece = mem::replace(&mut self.partial, rest);
            self.piece(&piece, &mut batch);
            self.in_pieces = true;
        }
        batch
    }

    /// Returns the incomplete line. Its rest will be a message of its own, unless that is only the line end.
    pub(super) fn flush(&mut self) -> Batch {
        let mut batch = Batch::default();
        let rest = self.partial.split_off(whole_characters(&self.partial));
        let piece = mem::replace(&mut self.partial, rest);
        if !piece.is_empty() {
            self.piece(&piece, &mut batch);
            self.in_pieces = true;
        }
        batch
    }

    /// Returns the last line, if it lacks its end.
    pub(super) fn finish(&mut self) -> Batch {
        let mut batch = Batch::default();
        if !self.partial.is_empty() {
            self.end_line(&[], &mut batch);
        }
        batch
    }

    fn end_line(&mut self, end: &[u8], batch: &mut Batch) {
        let partial = mem::take(&mut self.partial);
        let in_pieces = mem::take(&mut self.in_pieces);
        let joined;
        let line = if partial.is_empty() {
            end
        } else {
            joined = [partial.as_slice(), end].concat();
            &joined
        };
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        // The rest of a line that was sent in pieces may be empty, which is not a message.
        if line.is_empty() && in_pieces {
            return;
        }
        while line.len() > PIECE_BYTES {
            let (piece, rest) = line.split_at(whole_characters(&line[..PIECE_BYTES]));
            self.piece(piece, batch);
            line = rest;
        }
        self.piece(line, batch);
    }

    /// Appends one message, or several if replacing invalid UTF-8 makes the text too long.
    fn piece(&mut self, bytes: &[u8], batch: &mut Batch) {
        let text = String::from_utf8_lossy(bytes);
        let mut text = text.as_ref();
        loop {
            let (now, later) = text.split_at(text.floor_char_boundary(PIECE_BYTES));
            self.prototype.text.clear();
            self.prototype.text.push_str(now);
            batch.push(&self.prototype);
            if later.is_empty() {
                return;
            }
            text = later;
        }
    }
}

/// Returns how much of `bytes` can be split off without splitting a character.
fn whole_characters(bytes: &[u8]) -> usize {
    const LONGEST: usize = 4;
    let tail_start = bytes.len().saturating_sub(LONGEST - 1);
    let is_lead = |byte: u8| byte >= 0b1100_0000;
    let Some(lead) = (tail_start..bytes.len())
        .rev()
        .find(|&at| is_lead(bytes[at]))
    else {
        return bytes.len();
    };
    let needs = match bytes[lead] {
        0b1100_0000..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        _ => 4,
    };
    if lead + needs > bytes.len() {
        lead
    } else {
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(batches: impl IntoIterator<Item = Batch>) -> Vec<String> {
        let mut texts = Vec::new();
        for batch in batches {
            let body = String::from_utf8(batch.body).unwrap();
            let lines: Vec<_> = body
                .lines()
                .map(|line| json::parse_line(line).unwrap().text)
                .collect();
            assert_eq!(lines.len() as u64, batch.lines);
            texts.extend(lines);
        }
        texts
    }

    fn cut(chunks: &[&[u8]]) -> Vec<String> {
        let mut cutter = Cutter::new(Message::default());
        let mut batches: Vec<_> = chunks.iter().map(|chunk| cutter.push(chunk)).collect();
        batches.push(cutter.finish());
        texts(batches)
    }

    #[test]
    fn each_line_is_a_message_and_one_cr_before_its_end_is_dropped() {
        assert_eq!(cut(&[b"a\n\nb\r\nc\r\r\nd"]), ["a", "", "b", "c\r", "d"]);
        assert_eq!(cut(&[b"a\n"]), ["a"]);
        assert_eq!(cut(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_line_at_the_limit_is_one_message_and_a_longer_one_comes_in_pieces() {
        let at_limit = "x".repeat(PIECE_BYTES);
        assert_eq!(cut(&[at_limit.as_bytes(), b"\n"]), [at_limit.as_str()]);
        assert_eq!(cut(&[at_limit.as_bytes(), b"\r\n"]), [at_limit.as_str()]);
        assert_eq!(
            cut(&[at_limit.as_bytes(), b"y\n"]),
            [at_limit.as_str(), "y"]
        );
    }

    #[test]
    fn pieces_never_cut_a_character_in_two() {
        let line = format!("x{}", "ü".repeat(PIECE_BYTES));
        assert_eq!(cut(&[line.as_bytes()]).concat(), line);
        assert_eq!(cut(&[line.as_bytes(), b"\n"]).concat(), line);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_however_many_there_are() {
        assert_eq!(cut(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
        let pieces = cut(&[&vec![0xff; PIECE_BYTES], b"\n"]);
        assert!(pieces.iter().all(|it| it.len() <= PIECE_BYTES));
        assert_eq!(pieces.concat(), "\u{fffd}".repeat(PIECE_BYTES));
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(text in "[a-zü€𝄞\r\n]{0,80}", cuts in prop::collection::vec(0usize..200, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|it| it.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|it| &bytes[it[0]..it[1]]).collect();
            prop_assert_eq!(cut(&chunks), cut(&[bytes]));
        }
    }
}
