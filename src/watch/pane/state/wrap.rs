//! Divides texts into rows: at line ends, and at the width if lines are wrapped.
//!
//! Only what is on screen or next to it is laid out. Long layouts are kept for the next frame; short ones are cheaper
//! to make again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::records::{Id, Record};

/// Length from which layouts are kept, in bytes.
const LONG: usize = 2 << 10;
/// How many layouts are kept.
const KEPT: usize = 16;

/// A character with more combining marks than this is cut into several, in bytes.
const CHARACTER_MAX: usize = 256;

/// The rows of a text, as byte ranges in it.
pub type Rows = Rc<[Range<usize>]>;

/// The width at which lines are wrapped; `None` if they are not.
pub type Width = Option<usize>;

/// Lays out texts, and keeps long layouts.
#[derive(Debug, Default)]
pub struct Layouts {
    kept: RefCell<VecDeque<(Id, Width, Rows)>>,
}

impl Layouts {
    /// Returns the rows of a record's text.
    #[must_use]
    pub fn rows(&self, id: Id, record: &Record, width: Width) -> Rows {
        if record.text.len() < LONG {
            return rows(&record.text, width);
        }
        let mut kept = self.kept.borrow_mut();
        let known = kept.iter().find(|it| it.0 == id && it.1 == width);
        if let Some((_, _, rows)) = known {
            return rows.clone();
        }
        let rows = rows(&record.text, width);
        kept.push_front((id, width, rows.clone()));
        kept.truncate(KEPT);
        rows
    }
}

/// Returns the rows of a text; there is at least one.
#[must_use]
pub fn rows(text: &str, width: Width) -> Rows {
    let fits = |width: usize| text.len() <= width && !text.contains('\n');
    if width.is_some_and(fits) {
        // The usual case: no text has more columns than bytes.
        return std::iter::once(0..text.len()).collect();
    }
    let mut rows = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        match width {
            Some(width) if line.len() > width => wrap(line, start, width.max(1), &mut rows),
            _ => rows.push(start..start + line.len()),
        }
        start += line.len() + 1;
    }
    rows.into()
}

/// Wraps a line to at most `width` columns: after a space, if one is in the row's second half, or else where the
/// row is full. A character wider than a row gets a row of its own.
fn wrap(line: &str, offset: usize, width: usize, rows: &mut Vec<Range<usize>>) {
    let (mut start, mut column) = (0, 0);
    // A possible row end: its byte, and the columns before it.
    let mut gap = None;
    for (at, columns, cell) in cells(line) {
        if column + columns > width && column > 0 {
            let (end, before) = gap.take().unwrap_or((at, column));
            rows.push(offset + start..offset + end);
            (start, column) = (end, column - before);
        }
        column += columns;
        if cell == " " && column > width / 2 {
            gap = Some((at + 1, column));
        }
    }
    rows.push(offset + start..offset + line.len());
}

/// Splits a line of safe text into characters, as a reader sees them, and SGR sequences, which take no columns. Each
/// comes with its position and its width.
pub fn cells(line: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &line[at..];
        let bytes = rest.as_bytes();
        let first = *bytes.first()?;
        let (length, columns) = if first == b'\x1b' {
            (rest.find('m').map_or(rest.len(), |it| it + 1), 0)
        } else if first.is_ascii() && bytes.get(1).is_none_or(u8::is_ascii) {
            (1, 1)
        } else {
            // An SGR sequence is never part of a character.
            let near = &rest[..rest.floor_char_boundary(CHARACTER_MAX)];
            let near = near.split('\x1b').next().unwrap_or(near);
            let cell = near.graphemes(true).next().unwrap_or(near);
            (cell.len(), cell.width())
        };
        let cell = (at, columns, &rest[..length]);
        at += length;
        Some(cell)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(text: &str, width: Width) -> Vec<&str> {
        rows(text, width)
            .iter()
            .map(|it| &text[it.clone()])
            .collect()
    }

    #[test]
    fn a_line_is_a_row_and_a_long_one_several() {
        assert_eq!(laid_out("", Some(3)), [""]);
        assert_eq!(laid_out("abc", Some(3)), ["abc"]);
        assert_eq!(
            laid_out("abcdefg\n\nxy", Some(3)),
            ["abc", "def", "g", "", "xy"]
        );
        assert_eq!(laid_out("abcdefg\nxy", None), ["abcdefg", "xy"]);
    }

    #[test]
    fn words_stay_whole_if_they_leave_no_more_than_half_a_row() {
        assert_eq!(laid_out("one two three", Some(8)), ["one two ", "three"]);
        assert_eq!(laid_out("a bcdefghij", Some(8)), ["a bcdefg", "hij"]);
        assert_eq!(
            laid_out("abcdef gh ijklm", Some(8)),
            ["abcdef ", "gh ijklm"]
        );
        assert_eq!(
            laid_out("abcde          f", Some(6)),
            ["abcde ", "      ", "   f"]
        );
    }

    #[test]
    fn wide_and_combined_characters_are_never_cut() {
        assert_eq!(laid_out("日本語", Some(5)), ["日本", "語"]);
        assert_eq!(laid_out("日本", Some(1)), ["日", "本"]);
        assert_eq!(
            laid_out("e\u{301}e\u{301}x", Some(2)),
            ["e\u{301}e\u{301}", "x"]
        );
        assert_eq!(laid_out("👩‍👩‍👧x", Some(2)), ["👩‍👩‍👧", "x"]);
    }

    #[test]
    fn colours_take_no_columns_and_are_never_cut() {
        let text = "\x1b[31mab\x1b[38;5;9mcd\x1b[0m";
        assert_eq!(
            laid_out(text, Some(2)),
            ["\x1b[31mab\x1b[38;5;9m", "cd\x1b[0m"]
        );
    }
}
