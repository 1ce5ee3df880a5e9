//! A part of the screen to draw on, and functions that fit texts into it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;

/// A part of the screen to draw on. What does not fit is cut off.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// The whole screen.
    pub buffer: &'a mut Buffer,
    /// The part.
    pub area: Rect,
    /// The theme.
    pub theme: Theme,
}

impl<'a> Canvas<'a> {
    /// Creates a canvas for a part of a screen.
    pub fn new(buffer: &'a mut Buffer, area: Rect, theme: Theme) -> Self {
        Self {
            buffer,
            area,
            theme,
        }
    }

    /// Writes a text; returns the column after it.
    pub fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        if y >= self.area.height || x >= self.area.width {
            return x;
        }
        let room = usize::from(self.area.width - x);
        let (left, top) = (self.area.x + x, self.area.y + y);
        let (end, _) = self.buffer.set_stringn(left, top, text, room, style);
        end - self.area.x
    }

    /// Writes a text up to the right edge.
    pub fn put_right(&mut self, y: u16, text: &str, style: Style) {
        let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
        self.put(self.area.width.saturating_sub(width), y, text, style);
    }

    /// Writes a text centred.
    pub fn put_centred(&mut self, y: u16, text: &str, style: Style) {
        let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
        self.put(self.area.width.saturating_sub(width) / 2, y, text, style);
    }
}

/// Returns the first text that fits, or else the last one, cut off.
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

/// Cuts a text to a width, with a sign at its end if anything was cut.
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
    fn text_that_is_too_wide_is_visibly_cut() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(fitting(3, ["abcd".into(), "ab".into()]), "ab");
        assert_eq!(fitting(1, ["abcd".into(), "ab".into()]), "…");
    }
}
