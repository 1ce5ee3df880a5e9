//! The footer: counts, the state, and the keys that are useful now; or the prompt.

use ratatui::layout::Position;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::canvas::{Canvas, cut, fitting};
use super::spans::{self, Hits, Slot};
use super::theme::Theme;
use crate::terminal::safe_text::{Colour, safe_line};
use crate::watch::format::count_of;
use crate::watch::pane::keys::{self, Action};
use crate::watch::pane::state::prompt::{Prompt, Purpose};
use crate::watch::pane::state::{Mode, Others, Screen};
use crate::watch::summary::counted;

/// Draws the footer; returns the cursor's place, if it is shown.
pub(in crate::watch::pane) fn draw(screen: &Screen, canvas: &mut Canvas<'_>) -> Option<Position> {
    let theme = canvas.theme;
    let last = canvas.area.height.saturating_sub(1);
    let is_alone = last == 0;
    if let Mode::Prompt(prompt) = &screen.mode {
        if !is_alone {
            draw_status(screen, canvas);
        }
        return Some(draw_prompt(screen, prompt, last, canvas));
    }
    let width = usize::from(canvas.area.width);
    let own = notice(screen, width);
    match (own, is_alone) {
        (Some(own), _) => {
            if !is_alone {
                draw_status(screen, canvas);
            }
            let own = safe_line(&own, Colour::Strip).into_owned();
            canvas.put(0, last, &theme.own(&cut(&own, width)), theme.strong());
        }
        (None, true) => draw_status(screen, canvas),
        (None, false) => {
            draw_status(screen, canvas);
            draw_keys(screen, last, canvas);
        }
    }
    None
}

/// Returns a notice or question that takes the place of the keys.
fn notice(screen: &Screen, width: usize) -> Option<String> {
    match &screen.mode {
        Mode::AskCancel(operation) => {
            let what = operation.as_deref().unwrap_or("whatever they do");
            Some(question(
                &format!("ask publishers to cancel {what}?"),
                width,
            ))
        }
        Mode::AskQuit(_) => Some(question(&others(screen.others), width)),
        _ => screen.notice.clone(),
    }
}

/// Returns a question with its keys, which come first if there is no room for both.
fn question(question: &str, width: usize) -> String {
    let whole = format!("{question} y yes · any other key no");
    if whole.width() <= width {
        whole
    } else {
        format!("y/n: {question}")
    }
}

/// Returns the question whether to leave others without their server.
fn others(others: Others) -> String {
    let publishers =
        (others.publishers > 0).then(|| counted(others.publishers as u64, "publisher"));
    let watchers = (others.watchers > 0).then(|| counted(others.watchers as u64, "watcher"));
    let both: Vec<_> = publishers.into_iter().chain(watchers).collect();
    let verb = if others.publishers + others.watchers == 1 {
        "uses"
    } else {
        "use"
    };
    format!(
        "{} {verb} the server in this watch; quit?",
        both.join(" and ")
    )
}

fn draw_status(screen: &Screen, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let width = usize::from(canvas.area.width);
    let (state, style) = state(screen, theme);
    let state = fitting(width, state);
    let counts = counts(screen);
    let room = width.saturating_sub(if state.is_empty() {
        0
    } else {
        state.width() + 2
    });
    let counts = counts.into_iter().find(|it| it.width() <= room);
    if let Some(counts) = counts {
        canvas.put(0, 0, &theme.own(&counts), theme.faint());
    }
    canvas.put_right(0, &theme.own(&state), style);
}

/// Returns the message counts, the longest form first.
fn counts(screen: &Screen) -> Vec<String> {
    let received = count_of(screen.model.received());
    let shown = count_of(screen.passing);
    let filtered = screen.kept - screen.passing;
    let lost = lost(screen);
    let errors = match screen.errors {
        0 => String::new(),
        errors => format!(" · {}", counted(errors, "error")),
    };
    let dropped = if screen.dropped > 0 {
        format!(" · dropped {}", count_of(screen.dropped))
    } else {
        String::new()
    };
    let hidden = count_of(filtered);
    vec![
        format!(
            "received {received}{errors} · shown {shown} · filtered {hidden} · lost {lost}{dropped}"
        ),
        format!("{received}{errors} · shown {shown} · filtered {hidden} · lost {lost}{dropped}"),
        format!("{shown} of {received}{errors} · lost {lost}"),
        format!("{shown} of {received} · lost {lost}"),
        format!("{shown}/{received}"),
    ]
}

/// Returns how many messages were lost, as far as known.
fn lost(screen: &Screen) -> String {
    match (screen.model.lost(), screen.uncounted_gaps) {
        (lost, 0) => count_of(lost),
        (0, _) => "?".into(),
        (lost, _) => format!("{}+?", count_of(lost)),
    }
}

/// Returns what hides messages: a pause, a search, a filter; the longest form first.
fn state(screen: &Screen, theme: Theme) -> (Vec<String>, Style) {
    let mut parts = Vec::new();
    let pattern = screen.filter.pattern();
    if !pattern.is_empty() {
        parts.push(format!("& {}", safe_line(&pattern, Colour::Strip)));
    }
    if let Some(level) = screen.filter.level() {
        parts.push(format!("{level} and worse"));
    }
    if let Some(query) = screen.search.query() {
        parts.push(
            match screen.focus().and_then(|(id, _)| screen.search.number(id)) {
                Some(number) => format!(
                    "hit {}/{}",
                    count_of(number as u64),
                    count_of(screen.search.count() as u64)
                ),
                None => format!(
                    "{} hits for {}",
                    count_of(screen.search.count() as u64),
                    safe_line(query.text(), Colour::Strip)
                ),
            },
        );
    }
    if screen.is_following() {
        let all = parts.join(" · ");
        let short = parts.pop().unwrap_or_default();
        return (vec![all, short], theme.accent());
    }
    let behind = screen.behind;
    let mut paused = "paused".to_owned();
    let mut short = paused.clone();
    if behind.new > 0 {
        short = format!("+{}", count_of(behind.new));
        paused = format!("paused, {short} new");
    }
    let mut style = theme.accent();
    if behind.errors > 0 {
        let errors = if behind.errors == 1 {
            "error"
        } else {
            "errors"
        };
        paused = format!("{paused}, {} {errors}", count_of(behind.errors));
        short = format!("{short}, {} E", count_of(behind.errors));
        style = theme.bad();
    }
    parts.push(paused.clone());
    (vec![parts.join(" · "), paused, short], style)
}

/// Returns the actions that are useful now, with short names for the footer.
fn hints(screen: &Screen) -> Vec<(Action, &'static str)> {
    let hints = hints_of_mode(screen);
    let can_cancel = matches!(screen.mode, Mode::Messages) && screen.can(Action::Cancel);
    let cancel = (can_cancel && screen.running().any(|it| it.name().is_some()))
        .then_some((Action::Cancel, "cancel"));
    let hints = hints.iter().copied();
    let hints = hints.filter(|(action, _)| screen.can(*action));
    cancel.into_iter().chain(hints).collect()
}

/// Returns the actions that are useful in every state.
fn hints_of_mode(screen: &Screen) -> &'static [(Action, &'static str)] {
    match &screen.mode {
        Mode::Help(_) => &[
            (Action::Down, "down"),
            (Action::Up, "up"),
            (Action::Back, "close"),
        ],
        Mode::Detail(_) => &[
            (Action::Down, "down"),
            (Action::Up, "up"),
            (Action::Copy, "copy"),
            (Action::Back, "close"),
        ],
        _ if screen.is_empty() && screen.connection.is_open() && screen.can(Action::CopyCurl) => &[
            (Action::CopyId, "copy the ID"),
            (Action::CopyCurl, "copy the curl line"),
            (Action::Help, "help"),
            (Action::Quit, "quit"),
        ],
        _ if screen.search.query().is_some() => &[
            (Action::NextHit, "next"),
            (Action::PreviousHit, "previous"),
            (Action::Back, "done"),
            (Action::Last, "follow"),
            (Action::Help, "help"),
            (Action::Quit, "quit"),
        ],
        _ if screen.is_following() => &[
            (Action::Space, "freeze"),
            (Action::Search, "search"),
            (Action::Filter, "filter"),
            // There is no next one after the last message.
            (Action::PreviousError, "error"),
            (Action::Help, "help"),
            (Action::Quit, "quit"),
        ],
        _ => &[
            (Action::Last, "follow"),
            (Action::Open, "open"),
            (Action::Search, "search"),
            (Action::Filter, "filter"),
            (Action::Copy, "copy"),
            (Action::Mark, "mark"),
            (Action::Help, "help"),
            (Action::Quit, "quit"),
        ],
    }
}

/// Draws as many keys as there is room for. The last two, help and quit, have priority.
fn draw_keys(screen: &Screen, y: u16, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let hints: Vec<_> = hints(screen)
        .iter()
        .map(|(action, does)| (theme.own(&keys::name(*action)).into_owned(), *does))
        .collect();
    let width = |(key, does): &(String, &str)| key.width() + 1 + does.width() + 2;
    let (others, last) = hints.split_at(hints.len().saturating_sub(2));
    // There is no gap after the last one.
    let mut room = usize::from(canvas.area.width) + 2;
    let mut fits = |hint: &&(String, &str)| {
        let fits = width(hint) <= room;
        room -= if fits { width(hint) } else { 0 };
        fits
    };
    let last: Vec<_> = last.iter().rev().filter(&mut fits).collect();
    let others: Vec<_> = others.iter().take_while(&mut fits).collect();
    let mut x = 0;
    for (key, does) in others.into_iter().chain(last.into_iter().rev()) {
        x = canvas.put(x, y, key, theme.accent());
        x = canvas.put(x + 1, y, does, theme.faint()) + 2;
    }
}

fn draw_prompt(screen: &Screen, prompt: &Prompt, y: u16, canvas: &mut Canvas<'_>) -> Position {
    let theme = canvas.theme;
    let width = canvas.area.width;
    let feedback = match (prompt.purpose, &prompt.feedback) {
        (_, Some(text)) => text.clone(),
        (Purpose::Search, None) => {
            let number = screen.focus().and_then(|(id, _)| screen.search.number(id));
            number.map_or_else(String::new, |it| {
                format!("hit {it}/{}", count_of(screen.search.count() as u64))
            })
        }
        (Purpose::Filter, None) => format!("{} shown", count_of(screen.passing)),
        (Purpose::SaveText | Purpose::SaveAll, None) => "Enter saves, Esc does not".into(),
    };
    let label = if usize::from(width) < prompt.label().width() + 20 {
        // In a narrow terminal the typed text matters more than the label.
        &prompt.label()[..1]
    } else {
        prompt.label()
    };
    let feedback_width = feedback.width() + 2;
    let room = usize::from(width).saturating_sub(label.width() + 1);
    let room = if room > feedback_width + 10 {
        room - feedback_width
    } else {
        room
    };
    let (skip, cursor) = prompt.window(room);
    let x = canvas.put(0, y, label, theme.accent());
    let safe = safe_line(prompt.text(), Colour::Strip);
    if y < canvas.area.height {
        let slot = Slot {
            x: canvas.area.x + x,
            y: canvas.area.y + y,
            width: u16::try_from(room).unwrap_or(u16::MAX),
            skip,
        };
        let whole = 0..safe.len();
        spans::draw(canvas.buffer, slot, &safe, whole, Style::new(), Hits::NONE);
    }
    if room + feedback_width + label.width() < usize::from(width) + 1 {
        let style = if prompt.feedback.is_some() {
            theme.bad()
        } else {
            theme.faint()
        };
        canvas.put_right(y, &theme.own(&feedback), style);
    }
    let cursor = u16::try_from(cursor).unwrap_or(u16::MAX);
    Position::new(canvas.area.x + x.saturating_add(cursor), canvas.area.y + y)
}
