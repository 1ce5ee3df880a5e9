//! Foreign text, made safe for a terminal.
//!
//! All text of publishers and servers (messages, operation names, errors) passes through here before it is shown. The
//! result has visible characters and colours, and nothing else: it moves no cursor, sets no title, fills no clipboard,
//! makes no link, hides and reorders no text.
//!
//! | in | out |
//! | --- | --- |
//! | SGR (`ESC [ 1;31 m`), well-formed, of colours and attributes | kept or stripped, see [`Colour`] |
//! | sequences without effect in a line: EL (`ESC [ K`), the ends of links (OSC 8) | dropped |
//! | any other control character below U+0080 | its picture: ESC is `␛`, BEL `␇`, CR `␍`, DEL `␡` |
//! | U+0080–U+009F, bidi controls, what is invisible | `<U+009B>`, `<U+202E>`, `<U+200B>` |
//! | joiners and variation selectors within an emoji; joiners within a word that is spelled with them | kept |
//! | tab | spaces, to the next multiple of 8 columns |
//! | CR at the end of a line | dropped |
//!
//! There is no state machine of a terminal here (such as `vte`), on purpose. Only SGR passes, so an ESC either begins a
//! whole sequence that is kept or dropped, or becomes a picture, and what follows is text. So it does not matter how a
//! terminal would have interpreted the rest, or how terminals differ. A state machine would also swallow what it
//! recognises; here it can be read.
//!
//! Not prevented: black on black, letters that look like others, right-to-left letters, and piles of combining marks.
//! The terminal is assumed to use UTF-8. Nothing here knows what a message is.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::sgr::{RESET, Style};

/// Distance of tab stops, in columns.
const TAB: usize = 8;

/// What to do with SGR sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Keep them, with a reset at the line's end.
    Keep,
    /// Remove them: `NO_COLOR` is set, or the output is not a terminal.
    Strip,
}

/// Returns one line made safe, in default colours before and after it. A line feed becomes `␊`, so that the result is
/// always one line.
///
/// Borrows if there is nothing to change. Otherwise the result is at most eight times as long, plus a
/// reset.
///
/// ```
/// use codechat::internal::terminal::safe_text::{Colour, safe_line};
/// assert_eq!(safe_line("\x1b]0;hacked\x07 \x1b[31mred", Colour::Keep), "␛]0;hacked␇ \x1b[31mred\x1b[0m");
/// ```
#[must_use]
pub fn safe_line(line: &str, colour: Colour) -> Cow<'_, str> {
    made_safe(line, colour, &mut Style::default())
}

/// Returns the lines of a text, each made safe like [`safe_line`], without their ends (LF or CRLF).
///
/// A colour continues in the next line, yet each line can be shown alone. There is at least one line, and one after a
/// final line feed: joined by LF they are the text.
pub fn safe_lines(text: &str, colour: Colour) -> impl Iterator<Item = Cow<'_, str>> {
    let mut style = Style::default();
    text.split('\n')
        .map(move |line| made_safe(line, colour, &mut style))
}

/// Returns the text as a reader sees it: made safe, without colours, its lines joined by LF. Patterns are matched
/// against this.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let mut lines = safe_lines(text, Colour::Strip);
    match lines.next() {
        Some(Cow::Borrowed(line)) if line.len() == text.len() => Cow::Borrowed(line),
        first => {
            let lines: Vec<_> = first.into_iter().chain(lines).collect();
            Cow::Owned(lines.join("\n"))
        }
    }
}

fn made_safe<'a>(line: &'a str, colour: Colour, style: &mut Style<'a>) -> Cow<'a, str> {
    let line = line.trim_end_matches('\r');
    if line.is_empty() || (style.is_plain() && is_clean(line)) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + RESET.len());
    style.begin(&mut out);
    let (mut column, tabs) = (0, line.contains('\t'));
    for piece in Pieces(line, 0) {
        let start = out.len();
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Hidden(c) => push_visible(&mut out, c),
            Piece::Tab => out.extend(std::iter::repeat_n(' ', TAB - column % TAB)),
            Piece::Sgr(sequence) => {
                if colour == Colour::Keep {
                    *style = style.after(sequence).unwrap_or(*style);
                    out.push_str(sequence);
                }
                continue;
            }
            Piece::NoEffect => continue,
        }
        if tabs {
            column += out[start..].width();
        }
    }
    if style.needs_reset() {
        out.push_str(RESET);
    }
    Cow::Owned(out)
}

/// Returns whether the line is safe already. The loop has no early exit, so that the compiler can vectorise
/// it.
fn is_clean(line: &str) -> bool {
    let ascii = |b: &u8| (b' '..=b'~').contains(b);
    line.bytes().fold(true, |clean, b| clean & ascii(&b)) || text_end(line, 0) == line.len()
}

/// A part of a line.
enum Piece<'a> {
    /// Safe text, as long as possible.
    Text(&'a str),
    /// A whole SGR sequence.
    Sgr(&'a str),
    /// A character that must not pass.
    Hidden(char),
    Tab,
    /// A whole sequence without visible effect.
    NoEffect,
}

/// The pieces of a line, from a byte position on.
struct Pieces<'a>(&'a str, usize);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let Self(line, at) = *self;
        let rest = &line[at..];
        let first = rest.chars().next()?;
        let end = text_end(line, at);
        let (piece, length) = match first {
            _ if end > at => (Piece::Text(&line[at..end]), end - at),
            '\t' => (Piece::Tab, 1),
            _ => match (super::sgr::sequence(rest), unseen_sequence(rest)) {
                (Some(sequence), _) => (Piece::Sgr(sequence), sequence.len()),
                (None, Some(length)) => (Piece::NoEffect, length),
                (None, None) => (Piece::Hidden(first), first.len_utf8()),
            },
        };
        self.1 += length;
        Some(piece)
    }
}

/// Returns the length of the sequence at the start of `text`, if it has no effect within a line: EL (ECMA-48 8.3.41),
/// which erases to the line's end, or the beginning or the end of a link (OSC 8), whose text stays.
fn unseen_sequence(text: &str) -> Option<usize> {
    const ERASE: [&str; 4] = ["\x1b[K", "\x1b[0K", "\x1b[1K", "\x1b[2K"];
    if let Some(erase) = ERASE.iter().find(|it| text.starts_with(**it)) {
        return Some(erase.len());
    }
    let link = text.strip_prefix("\x1b]8;")?;
    let end = link.find(|it: char| !matches!(it, ' '..='~'))?;
    let (address, rest) = link.split_at(end);
    let terminator = ["\x07", "\x1b\\"]
        .into_iter()
        .find(|it| rest.starts_with(it))?;
    address
        .contains(';')
        .then_some(text.len() - rest.len() + terminator.len())
}

/// Returns where the safe text that starts at `start` ends.
fn text_end(line: &str, start: usize) -> usize {
    line[start..]
        .char_indices()
        .map(|(at, c)| (start + at, c))
        .find(|&(at, c)| {
            c.is_control() || (is_invisible(c) && !belongs(c, &line[..at], &line[at..]))
        })
        .map_or(line.len(), |(at, _)| at)
}

/// Returns whether a format character is invisible, or moves others: Unicode's `Default_Ignorable_Code_Point` (which
/// includes bidi controls, tags and Hangul fillers), the line and paragraph separators, and the annotation and
/// hieroglyph formats.
fn is_invisible(c: char) -> bool {
    c >= '\u{ad}'
        && matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether an invisible character has its proper use between `before` and `from` (which it starts).
fn belongs(c: char, before: &str, from: &str) -> bool {
    let after = &from[c.len_utf8()..];
    // Arabic to Myanmar; none of the invisible ones is among them.
    let spelled_with_joiners = |c: char| ('\u{620}'..='\u{109f}').contains(&c);
    let in_word = before.ends_with(spelled_with_joiners) && after.starts_with(spelled_with_joiners);
    match c {
        '\u{200c}' => in_word,
        '\u{200d}' => {
            let joined = before.strip_suffix('\u{fe0f}').unwrap_or(before);
            in_word || (joined.ends_with(is_pictograph) && after.starts_with(is_pictograph))
        }
        '\u{fe0e}' | '\u{fe0f}' => {
            let keycap = |c: char| matches!(c, '0'..='9' | '#' | '*');
            before.ends_with(is_pictograph)
                || (before.ends_with(keycap) && after.starts_with('\u{20e3}'))
        }
        _ => false,
    }
}

/// Returns whether a character is in the blocks that emoji consist of.
fn is_pictograph(c: char) -> bool {
    matches!(c,
        '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | '\u{2190}'..='\u{2bff}' | '〰' | '〽' | '㊗' | '㊙'
        | '\u{1f000}'..='\u{1faff}')
}

fn push_visible(out: &mut String, c: char) {
    let code = u32::from(c);
    match c {
        '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + code)),
        '\x7f' => out.push('␡'),
        // Writing to a string cannot fail.
        _ => _ = write!(out, "<U+{code:04X}>"),
    }
}

#[cfg(test)]
mod tests;
