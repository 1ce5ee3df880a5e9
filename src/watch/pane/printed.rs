//! A drawn screen as lines that can be printed, to stay where the pane is gone.

use crossterm::style::ContentStyle;
use ratatui::{
    backend::IntoCrossterm,
    buffer::{Buffer, Cell},
};
use unicode_width::UnicodeWidthStr;

/// The screen's lines, in its styles, without the blank ones at its ends.
#[must_use]
pub fn printed(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let lines: Vec<_> = buffer.content.chunks(width).map(line).collect();
    let blank = |it: &&String| it.is_empty();
    let first = lines.iter().take_while(blank).count();
    let last = lines.len() - lines.iter().rev().take_while(blank).count();
    let mut out = lines.get(first..last).unwrap_or_default().join("\n");
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
            // It lies under the wide character before it.
            covered -= 1;
            continue;
        }
        out.push_str(cell.symbol());
        covered = cell.symbol().width().saturating_sub(1);
    }
    out
}
