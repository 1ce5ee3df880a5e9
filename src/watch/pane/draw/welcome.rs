//! What to do first: shown for as long as nothing has come.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::canvas::{Canvas, cut};
use crate::watch::pane::keys::{self, Action};
use crate::watch::pane::state::Screen;
use crate::watch::pane::state::records::RecordKind;

/// Whether there is nothing to show yet but how to begin.
#[must_use]
pub(in crate::watch::pane) fn is_due(screen: &Screen) -> bool {
    let nothing = screen.is_empty()
        && screen
            .records
            .iter()
            .all(|(_, it)| matches!(it.kind, RecordKind::System | RecordKind::Note));
    nothing && screen.connection.is_open() && screen.is_following()
}

/// Which of the lines are about publishing.
const PUBLISH: std::ops::Range<usize> = 6..9;

/// Draws what to do with the ID: lines to paste.
pub(in crate::watch::pane) fn draw(screen: &Screen, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let target = &screen.options.target;
    let Some(id) = target.id.map(|it| it.to_string()) else {
        canvas.put(0, 0, "nothing has come yet", theme.faint());
        return;
    };
    let plain = |text: &str| (text.to_owned(), Style::new());
    let paste = |line: &str| (format!("  {line}"), theme.accent());
    let copy = keys::name(Action::CopyCurl);
    let notes = screen.records.iter();
    let notes = notes.filter(|(_, it)| it.kind == RecordKind::Note);
    let notes = notes.map(|(_, it)| (it.plain().into_owned(), theme.accent()));
    let lines = [
        (format!("Client ID {id}"), theme.strong()),
        plain(""),
        plain(&format!(
            "Nothing has come yet. Send the ID along with your request ({copy} copies this):"
        )),
        paste(&target.request),
        plain("Or run the request here:"),
        paste(&target.job),
        plain("Or publish something yourself:"),
        paste(&target.send),
        paste(&target.curl),
        plain(""),
        plain(&format!(
            "{} copies the ID; {} shows all keys.",
            keys::name(Action::CopyId),
            keys::name(Action::Help)
        )),
    ];
    // The original protocol has no way to publish.
    let can_publish = !target.send.is_empty();
    let is_there = |at: usize| can_publish || !PUBLISH.contains(&at);
    let lines = lines.into_iter().enumerate();
    let lines = lines.filter(|(at, _)| is_there(*at)).map(|(_, line)| line);
    let lines: Vec<_> = notes.chain(lines).collect();
    let width = usize::from(canvas.area.width);
    let rows: usize = lines
        .iter()
        .map(|(line, _)| line.width().div_ceil(width).max(1))
        .sum();
    let height = usize::from(canvas.area.height);
    let mut y = 0;
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
