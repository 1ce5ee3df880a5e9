//! The header: the connection's state, and a line for each operation.

use std::time::Duration;

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::canvas::{Canvas, cut, fitting};
use super::theme::Theme;
use crate::message::Outcome;
use crate::terminal::safe_text::{Colour, safe_line};
use crate::watch::format;
use crate::watch::operations::OperationState;
use crate::watch::pane::state::connection::ConnectionState;
use crate::watch::pane::state::{Screen, WatchedStream, timestamps};
use crate::watch::replay::Recording;
use crate::watch::summary::counted;

/// Greatest width of an operation's name, in columns.
const NAME_MAX: usize = 24;
/// Greatest width of a gauge, in columns.
const GAUGE_MAX: usize = 40;
/// Least width of a gauge; its width is a multiple of this, so that it stays the same while the figures beside it
/// grow and shrink.
const GAUGE_STEP: usize = 5;

/// Draws the connection's state, and what is watched.
pub(in crate::watch::pane) fn draw(screen: &Screen, now: Duration, canvas: &mut Canvas<'_>) {
    let theme = canvas.theme;
    let width = usize::from(canvas.area.width);
    let lefts = states(screen, now);
    let rights = targets(screen);
    // The longest form of the state that leaves room for what is watched.
    let room = |left: &str, right: &str| {
        let gap = if right.is_empty() { 0 } else { 2 };
        left.width() + gap + right.width() <= width
    };
    let fits = |left: &String| rights.iter().find(|right| room(left, right));
    let right = lefts.iter().find_map(fits).cloned().unwrap_or_default();
    let gap = if right.is_empty() { 0 } else { 2 };
    let left = fitting(width.saturating_sub(right.width() + gap), lefts);
    canvas.put(0, 0, &theme.own(&left), state_style(screen, theme));
    canvas.put_right(0, &theme.own(&right), theme.faint());
}

fn state_style(screen: &Screen, theme: Theme) -> Style {
    match screen.connection.state {
        ConnectionState::Connecting | ConnectionState::Ended => theme.strong(),
        ConnectionState::Live => theme.good().patch(theme.strong()),
        ConnectionState::Retrying { .. } => theme.warning(),
        ConnectionState::Failed(_) => theme.bad(),
    }
}

/// Returns the texts for the connection's state, the longest first.
fn states(screen: &Screen, now: Duration) -> Vec<String> {
    let connection = &screen.connection;
    let safe = |text: &str| safe_line(text, Colour::Strip).into_owned();
    if let Some(recording) = &screen.options.recording {
        let text = match &connection.state {
            ConnectionState::Retrying { reason, .. } => {
                format!(" · reconnecting ({})", safe(reason))
            }
            ConnectionState::Failed(reason) => format!(" · failed: {}", safe(reason)),
            _ => String::new(),
        };
        return replay(recording, connection.is_open(), now, &text);
    }
    let ago = |at: Duration| timestamps::age(now.saturating_sub(at));
    match &connection.state {
        ConnectionState::Connecting => vec!["◌ connecting".into()],
        ConnectionState::Live => {
            let message = connection.last_message.map(ago);
            let sign = connection.last_sign.map(ago).unwrap_or_default();
            let long = match &message {
                Some(message) => format!("● live · message {message} ago · heartbeat {sign} ago"),
                None => format!("● live · no message yet · heartbeat {sign} ago"),
            };
            let short = message.map_or("● live".into(), |it| format!("● live {it}"));
            vec![long, short, "● live".into()]
        }
        ConnectionState::Retrying {
            attempt,
            due,
            reason,
        } => {
            let left = due.saturating_sub(now).as_millis().div_ceil(1000);
            let soon = if left == 0 {
                "now".into()
            } else {
                format!("in {left} s")
            };
            vec![
                format!("◐ reconnecting, try {attempt} {soon} ({})", safe(reason)),
                format!("◐ reconnecting, try {attempt} {soon}"),
                format!("◐ try {attempt} {soon}"),
            ]
        }
        ConnectionState::Ended => vec!["■ ended".into()],
        ConnectionState::Failed(reason) => {
            vec![format!("■ failed: {}", safe(reason)), "■ failed".into()]
        }
    }
}

/// Returns the texts for a recording: its speed and position; the longest first.
fn replay(recording: &Recording, is_open: bool, now: Duration, more: &str) -> Vec<String> {
    let Recording { speed, length } = recording;
    let sign = if is_open { "▶" } else { "■" };
    let at = timestamps::position(length.map_or(now, |it| it.min(now)));
    let of = length.map_or_else(String::new, |it| {
        format!(" of {}", timestamps::position(it))
    });
    vec![
        format!("{sign} replay {speed} · {at}{of}{more}"),
        format!("{sign} replay {speed} · {at}{of}"),
        format!("{sign} {speed} {at}"),
        format!("{sign} {at}"),
    ]
}

/// Returns the texts for what is watched, the longest first.
fn targets(screen: &Screen) -> Vec<String> {
    let target = &screen.options.target;
    if let Some(stream) = &target.stream {
        return streams(stream);
    }
    let mut texts = Vec::new();
    let id = target.id.map(|it| (it.to_string(), it.short()));
    let server = target.server.as_deref().map(|it| {
        let bare = it.trim_start_matches("http://").trim_end_matches('/');
        safe_line(bare, Colour::Strip).into_owned()
    });
    match (server, id) {
        (Some(server), Some((long, short))) => {
            if screen.others.here > 0 {
                let watching = screen.others.here + 1;
                texts.extend([
                    format!("{watching} watch · {server} · client ID {long}"),
                    format!("{watching} watch · client ID {long}"),
                    format!("{watching} watch · client ID {short}"),
                ]);
            }
            texts.extend([
                format!("{server} · client ID {long}"),
                format!("client ID {long}"),
                format!("{server} · client ID {short}"),
                format!("{server} · ID {short}"),
                format!("client ID {short}"),
                short,
            ]);
        }
        (Some(server), None) => texts.push(server),
        (None, Some((long, short))) => texts.extend([long, short]),
        (None, None) => {}
    }
    texts
}

/// Returns the texts for a stream that a URL names, the longest first. Each of them says if TLS
/// certificates are not verified.
fn streams(stream: &WatchedStream) -> Vec<String> {
    let WatchedStream {
        method,
        url,
        is_unverified,
        ..
    } = stream;
    let url = safe_line(url, Colour::Strip);
    let bare = url.split_once("://").map_or(&*url, |(_, rest)| rest);
    let host = bare.split('/').next().unwrap_or_default();
    let texts = [
        format!("{method} {url}"),
        format!("{method} {bare}"),
        format!("{method} {host}"),
        host.to_owned(),
        String::new(),
    ];
    let texts = texts.into_iter();
    if *is_unverified {
        let unverified = "TLS not verified";
        texts
            .map(|it| format!("{unverified} · {it}"))
            .map(|it| it.trim_end_matches(" · ").to_owned())
            .chain(["no TLS check".to_owned()])
            .collect()
    } else {
        texts.collect()
    }
}

/// Draws as many operations as there is room for, a line each.
pub(in crate::watch::pane) fn draw_operations(
    screen: &Screen,
    now: Duration,
    canvas: &mut Canvas<'_>,
) {
    let rows = usize::from(canvas.area.height);
    let operations: Vec<_> = screen.operations().collect();
    // The ones with the newest messages are shown.
    let hidden = operations.len().saturating_sub(rows);
    let shown = &operations[hidden..];
    let name = |it: &OperationState| {
        safe_line(it.name().unwrap_or("progress"), Colour::Strip).into_owned()
    };
    let names: Vec<_> = shown.iter().map(|it| name(it)).collect();
    let third = usize::from(canvas.area.width) / 3;
    let widest = names
        .iter()
        .map(|it| it.width())
        .max()
        .unwrap_or(0)
        .min(NAME_MAX)
        .min(third);
    for (row, (operation, name)) in (0..).zip(shown.iter().zip(&names)) {
        let name = if row == 0 && hidden > 0 {
            format!("{name} (+{hidden})")
        } else {
            name.clone()
        };
        draw_operation(
            operation,
            &cut(&name, widest.max(3)),
            widest,
            row,
            now,
            canvas,
        );
    }
}

fn draw_operation(
    operation: &OperationState,
    name: &str,
    name_width: usize,
    y: u16,
    now: Duration,
    canvas: &mut Canvas<'_>,
) {
    let theme = canvas.theme;
    canvas.put(0, y, &theme.own(name), theme.strong());
    let start = name_width + 1;
    let room = usize::from(canvas.area.width).saturating_sub(start);
    let (ending, style) = state(operation, theme, now);
    let ending_width = ending.as_deref().map_or(0, |it| it.width() + 3);
    let gauge_width = if operation.fraction().is_some() {
        GAUGE_STEP + 1
    } else {
        0
    };
    let facts = facts(operation, now);
    let text = fitting(room.saturating_sub(ending_width + gauge_width), facts);
    let mut x = u16::try_from(start).unwrap_or(u16::MAX);
    if let Some(fraction) = operation.fraction() {
        let width = room
            .saturating_sub(text.width() + ending_width + 1)
            .min(GAUGE_MAX);
        let width = width / GAUGE_STEP * GAUGE_STEP;
        if width > 0 {
            x = draw_gauge(fraction, width, x, y, style, canvas) + 1;
        }
    }
    x = canvas.put(x, y, &theme.own(&text), Style::new());
    if let Some(ending) = ending {
        let gap = if text.is_empty() { "" } else { " · " };
        let x = canvas.put(x, y, &theme.own(gap), theme.faint());
        canvas.put(x, y, &theme.own(&ending), style);
    }
}

fn draw_gauge(
    fraction: f64,
    width: usize,
    x: u16,
    y: u16,
    style: Style,
    canvas: &mut Canvas<'_>,
) -> u16 {
    let theme = canvas.theme;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a fraction of some columns"
    )]
    let full = (fraction.clamp(0.0, 1.0) * width as f64).floor() as usize;
    let x = canvas.put(x, y, &theme.own(&"━".repeat(full)), style);
    canvas.put(x, y, &theme.own(&"╌".repeat(width - full)), theme.faint())
}

/// Returns how it ended or that it is stalled, and the style of its gauge.
fn state(operation: &OperationState, theme: Theme, now: Duration) -> (Option<String>, Style) {
    if operation.lost() {
        return (Some("publisher lost".into()), theme.bad());
    }
    if let Some(outcome) = operation.outcome() {
        let ending = match outcome {
            Outcome::Ok => "done",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        };
        return (Some(ending.into()), theme.outcome(outcome));
    }
    match operation.stalled(now) {
        Some(quiet) => (
            Some(format!("stalled {}", format::seconds(quiet))),
            theme.warning(),
        ),
        None => (None, theme.accent()),
    }
}

/// Returns its figures, the longest form first.
fn facts(operation: &OperationState, now: Duration) -> Vec<String> {
    let elapsed = format::seconds(operation.elapsed(now));
    let errors = match operation.errors() {
        0 => String::new(),
        errors => format!(" · {}", counted(errors, "error")),
    };
    let Some(count) = format::count(operation) else {
        let messages = counted(operation.messages(), "message");
        return vec![
            format!("{messages}{errors} · {elapsed}"),
            format!("{messages} · {elapsed}"),
            elapsed,
            String::new(),
        ];
    };
    let count = safe_line(&count, Colour::Strip).into_owned();
    let bare = count.split(' ').next().unwrap_or_default().to_owned();
    let is_percent = count.ends_with(" %");
    let percent = operation
        .fraction()
        .filter(|_| !is_percent)
        .map(|it| format!("{:.0} %", it * 100.0));
    let rate = operation.rate(now).map(format::rate);
    let eta = operation
        .eta(now)
        .map(|it| format!("ETA {}", format::seconds(it)));
    let (count, elapsed) = (Some(count), Some(elapsed));
    let join = |parts: &[&Option<String>]| {
        let parts: Vec<_> = parts.iter().filter_map(|it| it.as_deref()).collect();
        parts.join(" · ")
    };
    vec![
        join(&[&count, &percent, &rate, &eta, &elapsed]) + &errors,
        join(&[&count, &percent, &rate, &eta, &elapsed]),
        join(&[&count, &percent, &eta, &elapsed]),
        join(&[&count, &eta, &elapsed]),
        join(&[&count, &eta]),
        count.unwrap_or_default(),
        bare,
        percent.unwrap_or_default(),
        String::new(),
    ]
}
