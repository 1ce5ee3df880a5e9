//! The list of keys, from their table.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::canvas::Canvas;
use crate::watch::pane::state::{Screen, wrap};

/// Least width at which descriptions are beside the keys rather than below, in columns.
const BESIDE: usize = 60;
/// Indentation of descriptions below their keys, in columns.
const INDENT: usize = 2;

/// Draws the list from its line `first` on.
pub(in crate::watch::pane) fn draw(screen: &Screen, first: usize, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let width = usize::from(canvas.area.width);
    let lines = screen.help();
    let lines: Vec<_> = lines
        .map(|(label, does)| (theme.own(&label).into_owned(), does))
        .collect();
    let widest = lines.iter().map(|(label, _)| label.width()).max();
    let widest = widest.unwrap_or(0);
    let beside = width >= BESIDE;
    let indent = if beside { widest + 2 } else { INDENT };
    let room = Some(width.saturating_sub(indent).max(1));
    let mut y = 0;
    for (label, does) in lines.iter().skip(first) {
        if y >= canvas.area.height {
            return;
        }
        canvas.put(0, y, label, theme.accent());
        y += u16::from(!beside);
        let does = theme.own(does);
        for row in wrap::rows(&does, room).iter() {
            let x = u16::try_from(indent).unwrap_or(u16::MAX);
            canvas.put(x, y, &does[row.clone()], Style::new());
            y += 1;
        }
    }
}
