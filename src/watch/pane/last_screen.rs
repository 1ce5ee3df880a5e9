//! The last screen as lines, printed when the pane has closed.

use crossterm::style::ContentStyle;
use ratatui::backend::IntoCrossterm;
use ratatui::buffer::{Buffer, Cell};
use unicode_width::UnicodeWidthStr;

/// Returns the screen's lines with their styles, without the blank lines above, between and below its parts. A single
/// blank line may belong to a message, and stays.
#[must_use]
pub fn printed(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let lines: Vec<_> = buffer.content.chunks(width).map(line).collect();
    let parts = lines.chunk_by(|one, next| one.is_empty() == next.is_empty());
    let shown = parts.filter(|it| !it[0].is_empty() || it.len() == 1);
    let mut out = shown
        .flatten()
        .fold(String::new(), |out, line| out + line + "\n");
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn line(cells: &[Cell]) -> String {
    let blank = |it: &&Cell| it.symbol() == " " && it.style() == Cell::EMPTY.style();
    let end = cells.len() - cells.iter().rev().take_while(blank).count();
    let mut out = String::new();
    for run in cells[..end].chunk_by(|one, next| one.style() == next.style()) {
        let text = text(run);
        if run[0].style() == Cell::EMPTY.style() {
            out.push_str(&text);
        } else {
            let style: ContentStyle = run[0].style().into_crossterm();
            out.push_str(&style.apply(text).to_string());
        }
    }
    out
}

fn text(cells: &[Cell]) -> String {
    let mut out = String::new();
    let mut covered = 0;
    for cell in cells {
        if covered > 0 {
            // This cell is covered by the wide character before it.
            covered -= 1;
            continue;
        }
        out.push_str(cell.symbol());
        covered = cell.symbol().width().saturating_sub(1);
    }
    out
}
