//! The first steps: shown until the first message.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::canvas::{Canvas, cut};
use super::theme::Theme;
use crate::event::ClientId;
use crate::terminal::safe_text::{Colour, safe_line};
use crate::watch::pane::keys::{self, Action};
use crate::watch::pane::state::records::RecordKind;
use crate::watch::pane::state::{Screen, WatchedStream};

/// Returns whether the first steps are to be shown: nothing has come yet.
#[must_use]
pub(in crate::watch::pane) fn is_due(screen: &Screen) -> bool {
    let nothing = screen.is_empty()
        && screen
            .records
            .iter()
            .all(|(_, it)| matches!(it.kind, RecordKind::System | RecordKind::Note));
    nothing && screen.connection.is_open() && screen.is_following()
}

type Line = (String, Style);

/// Draws what is watched, what to do with it, and the notes so far.
pub(in crate::watch::pane) fn draw(screen: &Screen, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let target = &screen.options.target;
    let notes = screen.records.iter();
    let notes = notes.filter(|(_, it)| it.kind == RecordKind::Note);
    let notes = notes.map(|(_, it)| (it.plain().into_owned(), theme.accent()));
    let lines = match (target.id, &target.stream) {
        (Some(id), _) => of_client(id, screen, theme),
        (None, Some(stream)) => of_stream(stream, theme),
        (None, None) => vec![("Nothing has come yet.".into(), theme.faint())],
    };
    draw_lines(notes.chain(lines).collect(), canvas);
}

fn plain(text: &str) -> Line {
    (text.into(), Style::new())
}

/// Returns the first steps with a client ID: lines to paste.
fn of_client(id: ClientId, screen: &Screen, theme: Theme) -> Vec<Line> {
    let target = &screen.options.target;
    let paste = |line: &str| (format!("  {line}"), theme.accent());
    let copy = keys::name(Action::CopyCurl);
    let mut lines = vec![
        (format!("Client ID {id}"), theme.strong()),
        plain(""),
        plain(&format!(
            "Nothing has come yet. Send the ID along with your request ({copy} copies this):"
        )),
        paste(&target.request),
        plain("Or run the request here:"),
        paste(&target.job),
    ];
    // The original protocol cannot publish from outside.
    if !target.send.is_empty() {
        lines.extend([
            plain("Or publish something yourself:"),
            paste(&target.send),
            paste(&target.curl),
        ]);
    }
    let page = target.page.as_ref();
    let page = page.filter(|_| screen.can(Action::CopyPage));
    lines.extend(page.map(|it| plain(&format!("In a browser: {it}"))));
    let copies_page = page.map_or_else(String::new, |_| {
        format!(
            ", {} the address for a browser",
            keys::name(Action::CopyPage)
        )
    });
    lines.extend([
        plain(""),
        plain(&format!(
            "{} copies the ID{copies_page}; {} shows all keys.",
            keys::name(Action::CopyId),
            keys::name(Action::Help)
        )),
    ]);
    lines
}

/// Returns the request of a stream that a URL names.
fn of_stream(stream: &WatchedStream, theme: Theme) -> Vec<Line> {
    let url = safe_line(&stream.url, Colour::Strip);
    vec![
        (format!("{} {url}", stream.method), theme.strong()),
        plain(""),
        plain("Nothing has come yet; what this stream sends is shown here."),
        plain(""),
        plain(&format!("{} shows all keys.", keys::name(Action::Help))),
    ]
}

fn draw_lines(lines: Vec<Line>, canvas: &mut Canvas<'_>) {
    let width = usize::from(canvas.area.width);
    let rows: usize = lines
        .iter()
        .map(|(line, _)| line.width().div_ceil(width).max(1))
        .sum();
    let height = usize::from(canvas.area.height);
    let mut y = 0;
    for (line, style) in lines {
        // A line to paste is never cut off: it takes as many rows as it needs.
        let letters: Vec<_> = line.chars().collect();
        for row in letters.chunks(width.max(1)) {
            let row: String = row.iter().collect();
            canvas.put(0, y, &cut(&row, width), style);
            y += 1;
        }
        y += u16::from(letters.is_empty() && height > rows);
    }
}
