//! The messages on screen.

use std::ops::Range;

use ratatui::style::Style;

use super::canvas::{Canvas, cut};
use super::spans::{self, Hits, Slot};
use super::theme::Theme;
use crate::watch::pane::state::Screen;
use crate::watch::pane::state::export::level_letter;
use crate::watch::pane::state::layout::Columns;
use crate::watch::pane::state::records::{Id, Record, RecordKind};
use crate::watch::pane::state::viewport::Row;
use crate::watch::pane::state::wrap::cells;

/// Draws the rows of messages.
pub(in crate::watch::pane) fn draw(screen: &Screen, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let page = screen.page();
    let columns = screen.columns();
    let beside_text = columns.gutter + columns.time + columns.name;
    let focus = screen
        .focus()
        .map(|(id, _)| id)
        .filter(|_| !screen.is_following());
    let mut y = 0;
    for rows in page.chunk_by(|one, next| one.record == next.record) {
        let id = rows[0].record;
        let Some(record) = screen.records.get(id) else {
            continue;
        };
        let style = style(record, theme);
        gutter(screen, id, record, focus == Some(id), y, canvas);
        if rows[0].is_first {
            beside(screen, id, record, columns, y, canvas);
        }
        let hits = hits(screen, id, record, rows);
        for row in rows {
            if y >= canvas.area.height {
                return;
            }
            let slot = Slot {
                x: canvas.area.x + beside_text,
                y: canvas.area.y + y,
                width: columns
                    .text
                    .min(canvas.area.width.saturating_sub(beside_text)),
                skip: if screen.wraps { 0 } else { screen.sideways },
            };
            text(record, row, slot, screen.wraps, style, &hits, canvas);
            y += 1;
        }
    }
}

fn style(record: &Record, theme: Theme) -> Style {
    match record.kind {
        RecordKind::Message => theme.level(record.level),
        RecordKind::System | RecordKind::Note if record.level.is_some() => {
            theme.level(record.level)
        }
        RecordKind::System | RecordKind::Note => theme.faint(),
        RecordKind::Ruler => theme.accent(),
    }
}

/// Draws the sign for focus and mark, and the level.
fn gutter(
    screen: &Screen,
    id: Id,
    record: &Record,
    in_focus: bool,
    y: u16,
    canvas: &mut Canvas<'_>,
) {
    let theme = canvas.theme;
    let sign = match (screen.marks.contains(&id), in_focus) {
        (true, true) => "◈",
        (true, false) => "◆",
        (false, true) => "▌",
        (false, false) => " ",
    };
    let sign_style = if in_focus {
        theme.accent()
    } else {
        theme.strong()
    };
    canvas.put(0, y, &theme.own(sign), sign_style);
    if let Some(level) = record.level {
        canvas.put(1, y, level_letter(level), theme.level(record.level));
    }
}

/// Draws the time and the operation's name.
fn beside(
    screen: &Screen,
    id: Id,
    record: &Record,
    columns: Columns,
    y: u16,
    canvas: &mut Canvas<'_>,
) {
    let theme = canvas.theme;
    if columns.time > 0 {
        let time = screen.time_text(record, screen.previous_shown(id));
        let width = usize::from(columns.time) - 1;
        let time = format!("{time:>width$}");
        canvas.put(columns.gutter, y, &time, theme.faint());
    }
    if columns.name > 0
        && let Some(name) = record.label()
    {
        let name = cut(name, usize::from(columns.name) - 1);
        canvas.put(columns.gutter + columns.time, y, &name, theme.faint());
    }
}

/// Returns where the search matches the rows, as ranges of the text without its colours.
fn hits(screen: &Screen, id: Id, record: &Record, rows: &[Row]) -> Vec<Range<usize>> {
    let Some(query) = screen.search.query() else {
        return Vec::new();
    };
    if screen.search.number(id).is_none() {
        return Vec::new();
    }
    // Positions without colours are never beyond those with colours.
    let end = rows[rows.len() - 1].range.end;
    let plain = record.plain();
    query.hits(&plain).take_while(|it| it.start < end).collect()
}

fn text(
    record: &Record,
    row: &Row,
    slot: Slot,
    wraps: bool,
    style: Style,
    hits: &[Range<usize>],
    canvas: &mut Canvas<'_>,
) {
    let theme = canvas.theme;
    if record.kind == RecordKind::Ruler {
        let line = format!("── {} {}", record.text, "─".repeat(usize::from(slot.width)));
        let (x, y) = (slot.x - canvas.area.x, slot.y - canvas.area.y);
        canvas.put(x, y, &theme.own(&line), style);
        return;
    }
    let hits = Hits {
        ranges: hits,
        style: theme.hit(),
    };
    spans::draw(
        canvas.buffer,
        slot,
        &record.text,
        row.range.clone(),
        style,
        hits,
    );
    if !wraps {
        cut_off(record, row, slot, canvas);
    }
}

/// Draws the signs for a line that continues beyond an edge.
fn cut_off(record: &Record, row: &Row, slot: Slot, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let edge = slot.skip + usize::from(slot.width);
    let text = &record.text[row.range.clone()];
    let mut column = 0;
    let goes_on = cells(text).any(|(_, columns, _)| {
        column += columns;
        column > edge
    });
    let (x, y) = (slot.x - canvas.area.x, slot.y - canvas.area.y);
    if goes_on && slot.width > 1 {
        canvas.put(x + slot.width - 1, y, &theme.own("…"), theme.accent());
    }
    if slot.skip > 0 && column > 0 && slot.width > 1 {
        canvas.put(x, y, &theme.own("…"), theme.accent());
    }
}
