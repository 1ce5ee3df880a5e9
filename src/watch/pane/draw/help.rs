//! The keys, from their table.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::canvas::Canvas;
use crate::watch::pane::keys::TABLE;
use crate::watch::pane::state::wrap;

/// From this width on, what keys do stands beside them rather than below.
const BESIDE: usize = 60;
/// How far what keys do is indented below them.
const INDENT: usize = 2;

/// Draws the table from this line of it on.
pub(in crate::watch::pane) fn draw(first: usize, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let width = usize::from(canvas.area.width);
    let labels: Vec<_> = TABLE
        .iter()
        .map(|it| theme.own(&it.label()).into_owned())
        .collect();
    let widest = labels.iter().map(|it| it.width()).max().unwrap_or(0);
    let beside = width >= BESIDE;
    let indent = if beside { widest + 2 } else { INDENT };
    let room = Some(width.saturating_sub(indent).max(1));
    let mut y = 0;
    for (line, label) in TABLE.iter().zip(&labels).skip(first) {
        if y >= canvas.area.height {
            return;
        }
        canvas.put(0, y, label, theme.accent());
        y += u16::from(!beside);
        let does = theme.own(line.does);
        for row in wrap::rows(&does, room).iter() {
            let x = u16::try_from(indent).unwrap_or(u16::MAX);
            canvas.put(x, y, &does[row.clone()], Style::new());
            y += 1;
        }
    }
}
