//! Removes a byte order mark, and decodes UTF-16 if the mark says so.

use std::borrow::Cow;

use encoding_rs::{Decoder, Encoding, UTF_8};

/// Longest mark, in bytes.
const MARK_MAX: usize = 3;
/// U+FEFF in UTF-8 and in UTF-16.
const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// Removes the byte order mark from a stream of bytes. Holds back at most the beginning of a mark.
pub(super) struct Unmarked(State);

enum State {
    /// The bytes so far may be the beginning of a mark.
    Beginning(Vec<u8>),
    /// Bytes pass unchanged.
    Plain,
    /// Bytes are UTF-16.
    Utf16(Decoder),
}

impl Unmarked {
    pub(super) fn new() -> Self {
        Self(State::Beginning(Vec::new()))
    }

    /// Returns the text of these bytes, as far as it is certain.
    pub(super) fn push<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &mut self.0 {
            State::Plain => bytes.into(),
            State::Utf16(decoder) => decoded(decoder, bytes, false).into(),
            State::Beginning(held) => {
                if held.is_empty() && !bytes.is_empty() && !begins_a_mark(bytes) {
                    self.0 = State::Plain;
                    return bytes.into();
                }
                held.extend_from_slice(bytes);
                if held.len() < MARK_MAX && begins_a_mark(held) && Encoding::for_bom(held).is_none()
                {
                    return Cow::default();
                }
                let held = std::mem::take(held);
                self.begin(&held).into()
            }
        }
    }

    /// Returns what was held back, at the end.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        match std::mem::replace(&mut self.0, State::Plain) {
            State::Plain => Vec::new(),
            State::Beginning(held) => held,
            State::Utf16(mut decoder) => decoded(&mut decoder, &[], true),
        }
    }

    /// Continues after the mark, if there is one.
    fn begin(&mut self, bytes: &[u8]) -> Vec<u8> {
        match Encoding::for_bom(bytes) {
            Some((encoding, length)) if encoding != UTF_8 => {
                let mut decoder = encoding.new_decoder_without_bom_handling();
                let begun = decoded(&mut decoder, &bytes[length..], false);
                self.0 = State::Utf16(decoder);
                begun
            }
            marked => {
                self.0 = State::Plain;
                let length = marked.map_or(0, |(_, length)| length);
                bytes[length..].into()
            }
        }
    }
}

/// Returns whether these bytes may be the beginning of a mark, or are one.
fn begins_a_mark(bytes: &[u8]) -> bool {
    let are_alike = |mark: &&[u8]| mark.iter().zip(bytes).all(|(a, b)| a == b);
    MARKS.iter().any(are_alike)
}

/// Converts UTF-16 to UTF-8, with U+FFFD for invalid parts.
fn decoded(decoder: &mut Decoder, bytes: &[u8], is_last: bool) -> Vec<u8> {
    let mut text = String::new();
    text.reserve(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(0));
    let _ = decoder.decode_to_string(bytes, &mut text, is_last);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the result for these bytes, in pieces of this length.
    fn through(bytes: &[u8], length: usize) -> Vec<u8> {
        let mut unmarked = Unmarked::new();
        let mut out = Vec::new();
        for piece in bytes.chunks(length) {
            out.extend_from_slice(&unmarked.push(piece));
            out.extend_from_slice(&unmarked.push(b""));
        }
        out.extend(unmarked.finish());
        out
    }

    #[test]
    fn a_mark_is_removed_however_it_is_cut() {
        let utf16 = |mark: char, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let text = format!("{mark}a\u{fc}\u{1f600}\n");
            text.encode_utf16().flat_map(bytes).collect()
        };
        for length in 1..8 {
            for (bytes, expected) in [
                (&b"\xef\xbb\xbfready\n"[..], &b"ready\n"[..]),
                (b"\xef\xbb\xbf\xef\xbb\xbf", b"\xef\xbb\xbf"),
                (b"\xef\xbb", b"\xef\xbb"),
                (b"\xef\xbbx", b"\xef\xbbx"),
                (b"\xff", b"\xff"),
                (b"\xfe\xfe", b"\xfe\xfe"),
                (b"plain\xef\xbb\xbf", b"plain\xef\xbb\xbf"),
                (b"", b""),
                (b"\xff\xfe", b""),
                (b"\xff\xfea\0b", "a\u{fffd}".as_bytes()),
                (
                    &utf16('\u{feff}', u16::to_le_bytes),
                    "a\u{fc}\u{1f600}\n".as_bytes(),
                ),
                (
                    &utf16('\u{feff}', u16::to_be_bytes),
                    "a\u{fc}\u{1f600}\n".as_bytes(),
                ),
            ] {
                assert_eq!(through(bytes, length), expected, "{bytes:?} by {length}");
            }
        }
    }

    #[test]
    fn bytes_that_begin_no_mark_pass_at_once() {
        let mut unmarked = Unmarked::new();
        assert!(matches!(unmarked.push(b"a"), Cow::Borrowed(b"a")));
        let mut unmarked = Unmarked::new();
        assert_eq!(&*unmarked.push(b"\xff\xfea\0"), b"a");
    }
}
