//! One message in full.

use ratatui::style::Style;

use super::canvas::Canvas;
use super::spans::{self, Hits, Slot};
use crate::watch::pane::state::detail::{Detail, LABEL};

/// Draws the message from its scroll position on.
pub(in crate::watch::pane) fn draw(detail: &Detail, canvas: &mut Canvas<'_>) {
    let style = canvas.theme.accent();
    let width = usize::from(canvas.area.width);
    let rows = detail.rows(width);
    let indent = u16::try_from(LABEL).unwrap_or(u16::MAX);
    for (y, (label, text, range)) in
        (0..canvas.area.height).zip(rows.into_iter().skip(detail.scroll))
    {
        canvas.put(0, y, label, style);
        let slot = Slot {
            x: canvas.area.x + indent,
            y: canvas.area.y + y,
            width: canvas.area.width.saturating_sub(indent),
            skip: 0,
        };
        spans::draw(canvas.buffer, slot, text, range, Style::new(), Hits::NONE);
    }
}
