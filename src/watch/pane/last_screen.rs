//! A drawn screen as lines that can be printed, to stay where the pane is gone.

use crossterm::style::ContentStyle;
use ratatui::backend::IntoCrossterm;
use ratatui::buffer::{Buffer, Cell};
use unicode_width::UnicodeWidthStr;

/// The screen's lines, in its styles, without what is blank above, between or below its parts. A single
/// blank line may be a message's own, and stays.
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
            // It lies under the wide character before it.
            covered -= 1;
            continue;
        }
        out.push_str(cell.symbol());
        covered = cell.symbol().width().saturating_sub(1);
    }
    out
}
