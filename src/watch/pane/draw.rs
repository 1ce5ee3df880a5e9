//! Draws the screen. Everything that is drawn stands in the model; nothing here remembers anything.
//!
//! ```text
//! ● live · message 2 s ago · heartbeat 2 s ago       127.0.0.1:2428 · 3f2b8c1e    header
//! refresh-repo ━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌ 48/120 files · 40 % · 3.1/s · ETA 24 s      operations
//! ────────────────────────────────────────────────────────────────────────────
//!    12:34:56.789 Cloning demo                                                    body
//! ▌E 12:34:57.001 cannot read objects/pack: permission denied, so the clone is
//!                 made without it
//! ◆  12:34:57.233 Processed file 48 of 120
//! ────────────────────────────────────────────────────────────────────────────
//! received 1,234 · shown 1,200 · filtered 34 · lost 0   paused, +12 new, 3 errors footer
//! Space page  G follow  Enter open  / search  & filter  ? help  q quit
//! ```
//!
//! In the body: the focus (`▌`), a mark (`◆`) or both (`◈`), the level's letter, the time, the text. Help, a whole
//! message and the first steps take the body's place; what is typed takes the last line's.

mod body;
mod detail;
mod footer;
mod header;
mod help;
pub mod spans;
pub mod theme;
mod welcome;

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};
use unicode_width::UnicodeWidthStr;

use crate::watch::pane::state::{Mode, Screen};
use theme::Theme;

/// Draws the screen at a time; says where the cursor is to be, if anywhere.
pub fn draw(screen: &Screen, theme: Theme, now: Duration, buffer: &mut Buffer) -> Option<Position> {
    let parts = screen.parts();
    let area = buffer.area;
    let mut rows = area.y..area.bottom();
    let mut next = |height: u16| {
        let y = rows.start.min(area.bottom());
        rows.start = y.saturating_add(height);
        Rect::new(area.x, y, area.width, height.min(area.bottom() - y))
    };
    header::draw(screen, now, &mut Canvas::new(buffer, next(1), theme));
    let operations = next(parts.operations);
    header::draw_operations(screen, now, &mut Canvas::new(buffer, operations, theme));
    let rule = u16::from(parts.rules);
    draw_rule(&mut Canvas::new(buffer, next(rule), theme));
    let mut canvas = Canvas::new(buffer, next(parts.body), theme);
    match &screen.mode {
        Mode::Help(scroll) => help::draw(*scroll, &mut canvas),
        Mode::Detail(message) => detail::draw(message, &mut canvas),
        _ if welcome::is_due(screen) => welcome::draw(screen, &mut canvas),
        _ => body::draw(screen, &mut canvas),
    }
    draw_rule(&mut Canvas::new(buffer, next(rule), theme));
    footer::draw(screen, &mut Canvas::new(buffer, next(parts.footer), theme))
}

fn draw_rule(canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let line = "─".repeat(usize::from(canvas.area.width));
    canvas.put(0, 0, &theme.own(&line), theme.faint());
}

/// A part of the screen to draw on. What does not fit is left out.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// The whole screen.
    pub buffer: &'a mut Buffer,
    /// The part.
    pub area: Rect,
    /// How things look.
    pub theme: Theme,
}

impl<'a> Canvas<'a> {
    /// A part of a screen.
    pub fn new(buffer: &'a mut Buffer, area: Rect, theme: Theme) -> Self {
        Self {
            buffer,
            area,
            theme,
        }
    }

    /// Writes a text at a place in the part; says the column after it.
    pub fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        if y >= self.area.height || x >= self.area.width {
            return x;
        }
        let room = usize::from(self.area.width - x);
        let (left, top) = (self.area.x + x, self.area.y + y);
        let (end, _) = self.buffer.set_stringn(left, top, text, room, style);
        end - self.area.x
    }

    /// Writes a text that ends at the part's right edge.
    pub fn put_right(&mut self, y: u16, text: &str, style: Style) {
        let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
        self.put(self.area.width.saturating_sub(width), y, text, style);
    }

    /// Writes a text in the middle.
    pub fn put_centred(&mut self, y: u16, text: &str, style: Style) {
        let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
        self.put(self.area.width.saturating_sub(width) / 2, y, text, style);
    }
}

/// The first of these that is no wider, or else the last, cut off.
pub fn fitting(width: usize, texts: impl IntoIterator<Item = String>) -> String {
    let mut last = String::new();
    for text in texts {
        if text.width() <= width {
            return text;
        }
        last = text;
    }
    cut(&last, width)
}

/// A text that is no wider, with a sign where something was cut off.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.into();
    }
    let mut out = String::new();
    for letter in text.chars() {
        out.push(letter);
        if out.width() >= width {
            out.pop();
            break;
        }
    }
    if width > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_wide_is_cut_and_shows_it() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(fitting(3, ["abcd".into(), "ab".into()]), "ab");
        assert_eq!(fitting(1, ["abcd".into(), "ab".into()]), "…");
    }
}
