//! What to do first: shown for as long as nothing has come.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::canvas::{Canvas, cut};
use crate::watch::pane::keys::{self, Action};
use crate::watch::pane::state::Screen;
use crate::watch::pane::state::records::RecordKind;

/// A character's rows and columns of points, and the columns it takes with the one after it.
const ROWS: usize = 5;
const COLUMNS: usize = 3;
const ADVANCE: usize = COLUMNS + 1;

/// Whether there is nothing to show yet but how to begin.
#[must_use]
pub(in crate::watch::pane) fn is_due(screen: &Screen) -> bool {
    let nothing = screen.is_empty()
        && screen
            .records
            .iter()
            .all(|(_, it)| it.kind == RecordKind::System);
    nothing && screen.connection.is_open() && screen.is_following()
}

/// Draws the ID large, if there is room, and lines to paste.
pub(in crate::watch::pane) fn draw(screen: &Screen, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let target = &screen.options.target;
    let Some(id) = target.id.map(|it| it.to_string()) else {
        canvas.put(0, 0, "nothing has come yet", theme.faint());
        return;
    };
    let large = large(&id, canvas);
    let lines = [
        (id.clone(), theme.strong()),
        (String::new(), Style::new()),
        (
            "Nothing has come yet. To send something, in another terminal:".into(),
            Style::new(),
        ),
        (String::new(), Style::new()),
        (format!("  {}", target.send), theme.accent()),
        (format!("  {}", target.curl), theme.accent()),
        (String::new(), Style::new()),
        (
            format!(
                "{} copies the ID, {} the curl line; {} shows all keys.",
                keys::name(Action::CopyId),
                keys::name(Action::CopyCurl),
                keys::name(Action::Help)
            ),
            Style::new(),
        ),
    ];
    let width = usize::from(canvas.area.width);
    let rows: usize = lines
        .iter()
        .map(|(line, _)| line.width().div_ceil(width).max(1))
        .sum();
    let height = usize::from(canvas.area.height);
    let fits = rows + large.len() < height;
    let mut y = 0;
    if fits && !large.is_empty() {
        y = u16::try_from((height - rows - large.len()) / 3).unwrap_or(0);
        for line in &large {
            canvas.put_centred(y, line, theme.accent());
            y += 1;
        }
        y += 1;
    }
    for (line, style) in lines {
        // A line to paste is shown whole, on as many rows as it takes.
        let letters: Vec<_> = line.chars().collect();
        for row in letters.chunks(width.max(1)) {
            let row: String = row.iter().collect();
            canvas.put(0, y, &cut(&row, width), style);
            y += 1;
        }
        y += u16::from(letters.is_empty() && height > rows);
    }
}

/// The ID in large letters, on one line or two; nothing where it does not fit.
fn large(id: &str, canvas: &Canvas<'_>) -> Vec<String> {
    let theme = canvas.theme;
    let width = usize::from(canvas.area.width);
    let half = id.len() / 2;
    let pieces = if id.len() * ADVANCE <= width {
        vec![id]
    } else if half * ADVANCE <= width {
        vec![&id[..half], &id[half..]]
    } else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for piece in pieces {
        lines.extend(written(piece, theme.is_ascii()));
        lines.push(String::new());
    }
    lines
}

/// A text in points: two of them, one above the other, in a character; one in ASCII.
fn written(text: &str, ascii: bool) -> Vec<String> {
    let point = |row: usize, column: usize| {
        let glyph = text
            .as_bytes()
            .get(column / ADVANCE)
            .map_or(0, |it| glyph(*it));
        let (row, column) = (row, column % ADVANCE);
        row < ROWS
            && column < COLUMNS
            && glyph >> (ROWS * COLUMNS - 1 - (row * COLUMNS + column)) & 1 == 1
    };
    let columns = 0..text.len() * ADVANCE;
    let rows = if ascii { ROWS } else { ROWS.div_ceil(2) };
    let sign = |row: usize, column: usize| {
        if ascii {
            return if point(row, column) { '#' } else { ' ' };
        }
        match (point(2 * row, column), point(2 * row + 1, column)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        }
    };
    (0..rows)
        .map(|row| columns.clone().map(|column| sign(row, column)).collect())
        .collect()
}

/// The characters of an ID, five rows of three points each.
fn glyph(letter: u8) -> u16 {
    match letter {
        b'0' => 0b111_101_101_101_111,
        b'1' => 0b010_110_010_010_111,
        b'2' => 0b111_001_111_100_111,
        b'3' => 0b111_001_011_001_111,
        b'4' => 0b101_101_111_001_001,
        b'5' => 0b111_100_111_001_111,
        b'6' => 0b111_100_111_101_111,
        b'7' => 0b111_001_010_010_010,
        b'8' => 0b111_101_111_101_111,
        b'9' => 0b111_101_111_001_111,
        b'a' => 0b010_101_111_101_101,
        b'b' => 0b110_101_110_101_110,
        b'c' => 0b011_100_100_100_011,
        b'd' => 0b110_101_101_101_110,
        b'e' => 0b111_100_110_100_111,
        b'f' => 0b111_100_110_100_100,
        b'-' => 0b000_000_111_000_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_large() {
        assert_eq!(written("4-", false), ["█ █     ", "▀▀█ ▀▀▀ ", "  ▀     "]);
        assert_eq!(written("1", true), [" #  ", "##  ", " #  ", " #  ", "### "]);
    }
}
