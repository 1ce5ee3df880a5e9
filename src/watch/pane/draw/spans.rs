//! Draws safe text: its SGR sequences become the styles of cells.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::watch::pane::state::wrap::cells;

/// The place of a row on screen.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Its first column.
    pub x: u16,
    /// Its row.
    pub y: u16,
    /// Its width, in columns.
    pub width: u16,
    /// How many columns at the text's beginning are scrolled out of view.
    pub skip: usize,
}

/// Highlighted parts of a text.
#[derive(Clone, Copy, Debug)]
pub struct Hits<'a> {
    /// Byte ranges of the text without its colours.
    pub ranges: &'a [Range<usize>],
    /// Their style.
    pub style: Style,
}

impl Hits<'_> {
    /// No highlights.
    pub const NONE: Self = Self {
        ranges: &[],
        style: Style::new(),
    };
}

/// Draws a row of safe text, beginning with the colours that its line has set before it.
pub fn draw(
    buffer: &mut Buffer,
    slot: Slot,
    text: &str,
    row: Range<usize>,
    base: Style,
    found: Hits<'_>,
) {
    let line = text[..row.start].rfind('\n').map_or(0, |it| it + 1);
    let mut style = after(base, base, &text[line..row.start]);
    let mut plain = plain_bytes(&text[..row.start], found.ranges);
    let mut hits = found.ranges.iter().peekable();
    let (mut column, width, skip) = (0, usize::from(slot.width), slot.skip);
    for (_, columns, cell) in cells(&text[row]) {
        if let Some(params) = params(cell) {
            style = apply(style, base, params);
            continue;
        }
        let at = plain;
        plain += cell.len();
        if columns == 0 {
            continue;
        }
        let start = column;
        column += columns;
        if start < skip {
            continue;
        }
        if column - skip > width {
            break;
        }
        while hits.next_if(|it| it.end <= at).is_some() {}
        let is_hit = hits.peek().is_some_and(|it| it.start <= at);
        let style = if is_hit {
            style.patch(found.style)
        } else {
            style
        };
        let x = slot.x + u16::try_from(start - skip).unwrap_or(u16::MAX);
        put(buffer, x, slot.y, cell, columns, style);
    }
}

fn put(buffer: &mut Buffer, x: u16, y: u16, cell: &str, columns: usize, style: Style) {
    if let Some(first) = buffer.cell_mut((x, y)) {
        first.set_symbol(cell).set_style(style);
    }
    // The cells that a wide character covers.
    for more in 1..u16::try_from(columns).unwrap_or(1) {
        if let Some(covered) = buffer.cell_mut((x + more, y)) {
            covered.reset();
        }
    }
}

/// Returns how many bytes of a text are not SGR sequences; 0 if there are no hits to place.
fn plain_bytes(text: &str, hits: &[Range<usize>]) -> usize {
    if hits.is_empty() || !text.contains('\x1b') {
        return text.len();
    }
    crate::watch::pane::state::records::plain(text).len()
}

/// Returns the style after all the sequences in a text.
fn after(style: Style, base: Style, text: &str) -> Style {
    text.match_indices('\x1b').fold(style, |style, (at, _)| {
        let end = text[at..].find('m').map_or(text.len(), |it| at + it + 1);
        params(&text[at..end]).map_or(style, |it| apply(style, base, it))
    })
}

fn params(cell: &str) -> Option<&str> {
    cell.strip_prefix("\x1b[")?.strip_suffix('m')
}

/// Returns the style after one sequence. What cannot be shown here (an underline's shape and colour, an overline)
/// is ignored.
fn apply(mut style: Style, base: Style, params: &str) -> Style {
    let mut params = params.split(';');
    while let Some(param) = params.next() {
        let (code, detail) = param.split_once(':').unwrap_or((param, ""));
        let code: u8 = if code.is_empty() {
            0
        } else {
            code.parse().unwrap_or(u8::MAX)
        };
        if matches!(code, 38 | 48 | 58) {
            let colour = if detail.is_empty() {
                colour(&mut params)
            } else {
                colour_of_colons(detail)
            };
            style = match (code, colour) {
                (38, Some(colour)) => style.fg(colour),
                (48, Some(colour)) => style.bg(colour),
                _ => style,
            };
            continue;
        }
        style = match code {
            0 => base,
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 if detail == "0" => style.remove_modifier(Modifier::UNDERLINED),
            4 | 21 => style.add_modifier(Modifier::UNDERLINED),
            5 | 6 => style.add_modifier(Modifier::SLOW_BLINK),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            23 => style.remove_modifier(Modifier::ITALIC),
            24 => style.remove_modifier(Modifier::UNDERLINED),
            25 => style.remove_modifier(Modifier::SLOW_BLINK),
            27 => style.remove_modifier(Modifier::REVERSED),
            29 => style.remove_modifier(Modifier::CROSSED_OUT),
            30..=37 => style.fg(NAMED[usize::from(code - 30)]),
            39 => with_fg(style, base.fg),
            40..=47 => style.bg(NAMED[usize::from(code - 40)]),
            49 => with_bg(style, base.bg),
            90..=97 => style.fg(NAMED[usize::from(code - 90) + 8]),
            100..=107 => style.bg(NAMED[usize::from(code - 100) + 8]),
            _ => style,
        };
    }
    style
}

fn with_fg(mut style: Style, fg: Option<Color>) -> Style {
    style.fg = fg;
    style
}

fn with_bg(mut style: Style, bg: Option<Color>) -> Style {
    style.bg = bg;
    style
}

const NAMED: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

/// Parses `5;n` or `2;r;g;b`.
fn colour<'a>(params: &mut impl Iterator<Item = &'a str>) -> Option<Color> {
    let mut number = || number(params.next()?);
    match number()? {
        5 => Some(indexed(number()?)),
        _ => Some(Color::Rgb(number()?, number()?, number()?)),
    }
}

/// Parses `5:n`, `2:r:g:b` or `2:space:r:g:b`.
fn colour_of_colons(detail: &str) -> Option<Color> {
    let numbers: Vec<u8> = detail.split(':').filter_map(number).collect();
    match numbers[..] {
        [5, index] => Some(indexed(index)),
        [2, r, g, b] | [2, _, r, g, b] => Some(Color::Rgb(r, g, b)),
        _ => None,
    }
}

/// Returns a palette colour. The first sixteen are named ones, whose appearance users choose in their terminals.
fn indexed(index: u8) -> Color {
    NAMED
        .get(usize::from(index))
        .copied()
        .unwrap_or(Color::Indexed(index))
}

fn number(digits: &str) -> Option<u8> {
    if digits.is_empty() {
        Some(0)
    } else {
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;
    use crate::terminal::safe_text::{Colour, safe_line};

    fn drawn(text: &str, row: Range<usize>, skip: usize, hits: &[Range<usize>]) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        let slot = Slot {
            x: 0,
            y: 0,
            width: 8,
            skip,
        };
        let hit = Style::new().add_modifier(Modifier::REVERSED);
        let hits = Hits {
            ranges: hits,
            style: hit,
        };
        draw(&mut buffer, slot, text, row, Style::new(), hits);
        buffer
    }

    fn whole(text: &str) -> Buffer {
        let safe = safe_line(text, Colour::Keep);
        drawn(&safe, 0..safe.len(), 0, &[])
    }

    #[test]
    fn colours_become_styles_of_the_same_characters() {
        let buffer = whole("\x1b[1;31ma\x1b[38;5;9mb\x1b[48;2;1;2;3mc\x1b[0md\x1b[94me");
        let styles: Vec<_> = (0..5).map(|x| buffer[(x, 0)].style()).collect();
        assert_eq!(styles[0].fg, Some(Color::Red));
        assert!(styles[1].add_modifier.contains(Modifier::BOLD));
        assert_eq!(styles[1].fg, Some(Color::LightRed));
        assert_eq!(styles[2].bg, Some(Color::Rgb(1, 2, 3)));
        assert_eq!(styles[3], buffer[(7, 0)].style());
        assert_eq!(styles[4].fg, Some(Color::LightBlue));
    }

    #[test]
    fn a_row_begins_in_the_colours_of_the_text_before_it() {
        let text = "\x1b[31mabcdef\x1b[0m";
        let buffer = drawn(text, 8..text.len(), 0, &[]);
        assert_eq!(buffer[(0, 0)].symbol(), "d");
        assert_eq!(buffer[(0, 0)].fg, Color::Red);
    }

    #[test]
    fn wide_characters_are_left_out_if_only_half_of_them_fits() {
        let buffer = whole("日本語日x");
        assert_eq!(
            (buffer[(6, 0)].symbol(), buffer[(0, 0)].symbol()),
            ("日", "日")
        );
        let buffer = drawn("日本語", 0..9, 1, &[]);
        assert_eq!(
            (buffer[(0, 0)].symbol(), buffer[(1, 0)].symbol()),
            (" ", "本")
        );
    }

    #[test]
    fn hits_are_marked_across_colours() {
        let text = "a\x1b[31mbc\x1b[0md";
        let hit = 1..3;
        let buffer = drawn(text, 0..text.len(), 0, std::slice::from_ref(&hit));
        let is_hit = |x| buffer[(x, 0)].modifier.contains(Modifier::REVERSED);
        assert_eq!([0, 1, 2, 3].map(is_hit), [false, true, true, false]);
    }
}
