//! Foreign text, made safe for a terminal.
//!
//! Whatever a publisher or a server wrote (messages, operation names, error texts) goes through here
//! before it is shown. What comes out holds visible characters and colours, and nothing else: it
//! moves no cursor, sets no title, fills no clipboard, makes no link, hides and reorders no text.
//!
//! | in | out |
//! | --- | --- |
//! | SGR (`ESC [ 1;31 m`), well-formed, of colours and attributes | kept or stripped, see [`Colour`] |
//! | what shows nothing in a line: EL (`ESC [ K`), the ends of links (OSC 8) | dropped |
//! | any other control character below U+0080 | its picture: ESC is `␛`, BEL `␇`, CR `␍`, DEL `␡` |
//! | U+0080–U+009F, bidi controls, what is invisible | `<U+009B>`, `<U+202E>`, `<U+200B>` |
//! | joiners and variation selectors within an emoji; joiners within a word that is spelled with them | kept |
//! | tab | spaces, to the next multiple of 8 columns |
//! | CR at the end of a line | dropped |
//!
//! There is no terminal's state machine in here (such as `vte`), on purpose. As SGR alone passes, an
//! ESC is the first character of a whole sequence that is kept or dropped, or becomes a picture, and what
//! follows it is text. So it doesn't matter what a terminal would have made of the rest, or where two terminals
//! differ. A state machine would also swallow what it understands; here it can be read.
//!
//! Not prevented: black on black, letters that look like others, right-to-left letters, and piles of
//! combining marks. The terminal is taken to read UTF-8. Nothing here knows what a message is.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::sgr::{RESET, Style};

/// How far tab stops are apart, in columns.
const TAB: usize = 8;

/// What becomes of SGR sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// They stay, and are reset where the line ends.
    Keep,
    /// They go: `NO_COLOR` is set, or no terminal is there.
    Strip,
}

/// One line made safe, in default colours before and after it. A line feed becomes `␊`, so that the
/// result is one line whatever comes in.
///
/// Borrows where there is nothing to change. Otherwise the result is at most eight times as long,
/// and a reset.
///
/// ```
/// use codechat::internal::terminal::safe_text::{Colour, safe_line};
/// assert_eq!(safe_line("\x1b]0;hacked\x07 \x1b[31mred", Colour::Keep), "␛]0;hacked␇ \x1b[31mred\x1b[0m");
/// ```
#[must_use]
pub fn safe_line(line: &str, colour: Colour) -> Cow<'_, str> {
    made_safe(line, colour, &mut Style::default())
}

/// The lines of a text, each made safe as by [`safe_line`], without their ends (LF or CRLF).
///
/// A colour that is left on goes on in the next line, and yet every line can be shown without the
/// others. There is always one line, and one after a final line feed: joined by LF they are the text.
pub fn safe_lines(text: &str, colour: Colour) -> impl Iterator<Item = Cow<'_, str>> {
    let mut style = Style::default();
    text.split('\n')
        .map(move |line| made_safe(line, colour, &mut style))
}

/// The text as a reader sees it: made safe, without colours, its lines joined by LF. Patterns are looked for in
/// this.
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
            Piece::Unseen => continue,
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

/// Whether the line is safe as it is. No early exit over the bytes: that way the compiler makes it
/// a vector loop.
fn is_clean(line: &str) -> bool {
    let ascii = |b: &u8| (b' '..=b'~').contains(b);
    line.bytes().fold(true, |clean, b| clean & ascii(&b)) || text_end(line, 0) == line.len()
}

/// What a line is made of.
enum Piece<'a> {
    /// Safe as it is, and as long as can be.
    Text(&'a str),
    /// A whole SGR sequence.
    Sgr(&'a str),
    /// Not to be let through.
    Hidden(char),
    Tab,
    /// A whole sequence that shows nothing.
    Unseen,
}

/// The pieces of a line, from the byte on where the second number stands.
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
                (None, Some(length)) => (Piece::Unseen, length),
                (None, None) => (Piece::Hidden(first), first.len_utf8()),
            },
        };
        self.1 += length;
        Some(piece)
    }
}

/// How long the sequence at the start of `text` is, if it is one that shows nothing within a line: EL (ECMA-48 8.3.41),
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

/// Where the safe text that starts at `start` ends.
fn text_end(line: &str, start: usize) -> usize {
    line[start..]
        .char_indices()
        .map(|(at, c)| (start + at, c))
        .find(|&(at, c)| {
            c.is_control() || (is_invisible(c) && !belongs(c, &line[..at], &line[at..]))
        })
        .map_or(line.len(), |(at, _)| at)
}

/// Format characters that leave no mark, or move others about: those of Unicode's
/// `Default_Ignorable_Code_Point` (bidi controls, tags and Hangul fillers are among them), the line
/// and paragraph separators, and the annotation and hieroglyph formats.
fn is_invisible(c: char) -> bool {
    c >= '\u{ad}'
        && matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether an invisible character does between `before` and `from` (which it starts) what it is for.
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

/// The blocks that emoji are made of.
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
        // Writing to a string doesn't fail.
        _ => _ = write!(out, "<U+{code:04X}>"),
    }
}

#[cfg(test)]
mod tests;
