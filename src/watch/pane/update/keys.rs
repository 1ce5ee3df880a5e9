//! Key presses: what each action does.

use std::time::Duration;

use super::{Effect, prompt};
use crate::control::{Cancel, Change, ControlRequest};
use crate::message::Level;
use crate::watch::format;
use crate::watch::format::count_of;
use crate::watch::operations::OperationState;
use crate::watch::pane::keys::{self, Action, Code, Key};
use crate::watch::pane::state::connection::ConnectionState;
use crate::watch::pane::state::detail::Detail;
use crate::watch::pane::state::navigation::Far;
use crate::watch::pane::state::prompt::Purpose;
use crate::watch::pane::state::records::{Record, RecordKind};
use crate::watch::pane::state::{Leave, Mode, Screen};

/// Greatest text that is copied to the clipboard, in bytes: terminals ignore longer ones.
const COPY_MAX: usize = 1 << 20;

/// Handles a key press.
pub(super) fn key(screen: &mut Screen, key: Key, now: Duration) -> Vec<Effect> {
    let action = keys::action(key);
    // These two work in every mode.
    match action {
        Some(Action::QuitNow) => return quit(screen, Leave::Now),
        Some(Action::Suspend) => return vec![Effect::Suspend],
        _ => {}
    }
    let last_line_of_help = screen.help().count().saturating_sub(1);
    match &mut screen.mode {
        Mode::Messages => action.map_or_else(Vec::new, |it| act(screen, it, now)),
        Mode::Prompt(_) => prompt::key(screen, key),
        Mode::Help(scroll) => {
            let last = last_line_of_help;
            match scrolled(*scroll, last, action) {
                Some(scrolled) => *scroll = scrolled,
                None => screen.mode = Mode::Messages,
            }
            Vec::new()
        }
        Mode::Detail(_) => detail(screen, action),
        Mode::AskCancel(operation) => {
            let operation = operation.take();
            screen.mode = Mode::Messages;
            if matches!(key.code, Code::Char('y' | 'Y')) && !key.ctrl {
                let operation = operation.and_then(|it| it.parse().ok());
                return vec![Effect::Control(ControlRequest {
                    cancel: Change::Set(Cancel { operation }),
                    ..ControlRequest::default()
                })];
            }
            screen.notice = Some("nobody was asked".into());
            Vec::new()
        }
        Mode::AskQuit(leave) => {
            let leave = leave.clone();
            screen.mode = Mode::Messages;
            if matches!(key.code, Code::Char('y' | 'Y')) && !key.ctrl {
                return vec![Effect::Leave(leave)];
            }
            Vec::new()
        }
    }
}

/// Quits; if others use the server in this watch, asks first.
fn quit(screen: &mut Screen, leave: Leave) -> Vec<Effect> {
    let others = screen.others;
    let is_asked = matches!(screen.mode, Mode::AskQuit(_));
    if is_asked || others.watchers + others.publishers == 0 {
        return vec![Effect::Leave(leave)];
    }
    screen.mode = Mode::AskQuit(leave);
    Vec::new()
}

/// Returns the new scroll position of a text; `None` for keys that close it.
fn scrolled(scroll: usize, last: usize, action: Option<Action>) -> Option<usize> {
    const PAGE: usize = 10;
    if matches!(
        action,
        Some(Action::Back | Action::Quit | Action::Help | Action::Open)
    ) {
        return None;
    }
    let scroll = match action {
        Some(Action::Down) => scroll + 1,
        Some(Action::Up) => scroll.saturating_sub(1),
        Some(Action::HalfDown | Action::PageDown | Action::Space) => scroll + PAGE,
        Some(Action::HalfUp | Action::PageUp) => scroll.saturating_sub(PAGE),
        Some(Action::First) => 0,
        Some(Action::Last) => last,
        _ => scroll,
    };
    Some(scroll.min(last))
}

fn detail(screen: &mut Screen, action: Option<Action>) -> Vec<Effect> {
    let width = usize::from(screen.width);
    let Mode::Detail(detail) = &mut screen.mode else {
        return Vec::new();
    };
    if action == Some(Action::Copy) {
        let text = detail.record.message().text;
        return vec![copied(screen, text, "the message")];
    }
    let last = detail.rows(width).len().saturating_sub(1);
    match scrolled(detail.scroll, last, action) {
        Some(scrolled) => detail.scroll = scrolled,
        None => screen.mode = Mode::Messages,
    }
    Vec::new()
}

/// Performs an action while messages are shown.
fn act(screen: &mut Screen, action: Action, now: Duration) -> Vec<Effect> {
    match action {
        Action::Down => screen.step(true),
        Action::Up => screen.step(false),
        Action::HalfDown => screen.scroll(true, Far::Half),
        Action::HalfUp => screen.scroll(false, Far::Half),
        Action::PageUp => screen.scroll(false, Far::Page),
        Action::First => screen.go_to_first(),
        Action::Space | Action::Pause if screen.is_following() => screen.pause(),
        Action::Space | Action::PageDown => screen.scroll(true, Far::Page),
        Action::Last | Action::Pause => screen.follow(),
        Action::Search => prompt::open(screen, Purpose::Search),
        Action::NextHit | Action::PreviousHit => next_hit(screen, action == Action::NextHit),
        Action::Filter => prompt::open(screen, Purpose::Filter),
        Action::NextError | Action::PreviousError => next_error(screen, action),
        Action::RaiseLevel
        | Action::LowerLevel
        | Action::ShowTrace
        | Action::ShowDebug
        | Action::ShowInfo
        | Action::ShowWarn
        | Action::ShowError => change_level(screen, action),
        Action::NextOperation | Action::PreviousOperation => next_operation(screen, action),
        Action::Open => open(screen, now),
        Action::Mark => screen.notice = Some(screen.toggle_mark().into()),
        Action::NextMark if screen.go_to_next_mark() => {}
        Action::NextMark => screen.notice = Some("no mark is set".into()),
        Action::Time => {
            screen.times = screen.times.next();
            screen.notice = Some(screen.times.name().into());
        }
        Action::Wrap | Action::ScrollLeft | Action::ScrollRight => look_along(screen, action),
        Action::SaveText => prompt::open(screen, Purpose::SaveText),
        Action::SaveAll => prompt::open(screen, Purpose::SaveAll),
        Action::Help => screen.mode = Mode::Help(0),
        Action::Back => {
            screen.search.set(None);
            screen.sideways = 0;
        }
        _ => return outward(screen, action),
    }
    Vec::new()
}

/// Wraps long lines, or scrolls sideways.
fn look_along(screen: &mut Screen, action: Action) {
    if action == Action::Wrap {
        screen.wraps = !screen.wraps;
        screen.sideways = 0;
        let state = if screen.wraps { "wrapped" } else { "cut" };
        screen.notice = Some(format!("long lines are {state}"));
    } else if screen.wraps {
        let wrap = keys::name(Action::Wrap);
        screen.notice = Some(format!("long lines are wrapped; {wrap} lets them go on"));
    } else {
        screen.look_sideways(action == Action::ScrollRight);
    }
}

/// Performs an action that has an effect outside.
fn outward(screen: &mut Screen, action: Action) -> Vec<Effect> {
    let effect = match action {
        action if !screen.can(action) => return notice(screen, why_not(screen, action)),
        Action::Copy | Action::CopyShown | Action::CopyId | Action::CopyCurl | Action::CopyPage => {
            return copy(screen, action);
        }
        Action::Detail => {
            screen.wants_debug = !screen.wants_debug;
            let level = if screen.wants_debug {
                Change::Set(Level::Debug)
            } else {
                Change::Clear
            };
            Effect::Control(ControlRequest {
                level,
                ..ControlRequest::default()
            })
        }
        Action::Cancel => {
            screen.mode = Mode::AskCancel(to_cancel(screen));
            return Vec::new();
        }
        Action::Reconnect if screen.connection.is_open() => {
            screen.connection.state = ConnectionState::Connecting;
            Effect::Reconnect
        }
        Action::Reconnect => return notice(screen, "the stream has ended"),
        Action::Mouse => {
            screen.mouse = !screen.mouse;
            let notice = if screen.mouse {
                "the wheel scrolls, a click chooses; Shift or F2 for the terminal's own selection"
            } else {
                "the mouse is the terminal's own"
            };
            screen.notice = Some(notice.into());
            Effect::Mouse(screen.mouse)
        }
        Action::Quit => return quit(screen, Leave::Quit),
        Action::QuitPrinting => return quit(screen, Leave::Printing),
        _ => return Vec::new(),
    };
    vec![effect]
}

fn copy(screen: &mut Screen, action: Action) -> Vec<Effect> {
    let target = &screen.options.target;
    let (text, what) = match action {
        Action::Copy => match screen.focus() {
            Some((_, record)) => (record.plain().into_owned(), "the message"),
            None => return notice(screen, "nothing to copy"),
        },
        Action::CopyShown => (screen.shown_as_text(), "all that is shown"),
        Action::CopyId => match (target.id, screen.model.last_event_id()) {
            (Some(id), _) => (id.to_string(), "the client ID"),
            (None, Some(id)) => (id.into(), "the last event ID, for --last-event-id"),
            (None, None) => return notice(screen, "no event had an ID yet"),
        },
        Action::CopyPage => {
            let page = target.page.clone().unwrap_or_default();
            let what = page.clone();
            return vec![copied(screen, page, &what)];
        }
        _ => (
            target.request.clone(),
            "a curl line that sends the ID along",
        ),
    };
    vec![copied(screen, text, what)]
}

/// Returns why an action does not apply to what is watched.
fn why_not(screen: &Screen, action: Action) -> &'static str {
    let is_recording = screen.is_recording();
    match action {
        Action::Detail | Action::Cancel if is_recording => "a recording has no publishers to ask",
        Action::Detail | Action::Cancel if screen.connection.is_codechat => {
            "control requests are for a client ID: watch it with --server and --id"
        }
        Action::Detail | Action::Cancel => {
            "this server takes no control requests; codechat serve does"
        }
        Action::Reconnect if is_recording => "a recording has no connection",
        Action::Reconnect => "this request is not sent again, since that may do its work twice",
        Action::CopyId => "a recording has no client ID",
        Action::CopyPage if is_recording => "a recording has no web page",
        Action::CopyPage if screen.connection.is_codechat => {
            "the web page is for a client ID: watch it with --server and --id"
        }
        Action::CopyPage => "this server has no web page; codechat serve does",
        _ if is_recording => "a recording takes no messages",
        _ => "there is no client ID to send along",
    }
}

fn notice(screen: &mut Screen, notice: &str) -> Vec<Effect> {
    screen.notice = Some(notice.into());
    Vec::new()
}

fn copied(screen: &mut Screen, mut text: String, what: &str) -> Effect {
    let whole = text.len();
    text.truncate(text.floor_char_boundary(COPY_MAX));
    let notice = if text.len() < whole {
        format!("copied the first {COPY_MAX} of {whole} bytes; to have it all, save it")
    } else {
        format!("copied {what}")
    };
    screen.notice = Some(notice.clone());
    Effect::Copy { text, notice }
}

/// Returns the operation to cancel: the one in focus, or the only one; `None` means all.
fn to_cancel(screen: &Screen) -> Option<String> {
    let running = || screen.running().filter_map(OperationState::name);
    if !screen.is_following()
        && let Some((_, record)) = screen.focus()
        && let Some(operation) = record.message().operation
        && running().any(|it| it == operation.as_str())
    {
        return Some(operation.as_str().into());
    }
    let mut names = running();
    match (names.next(), names.next()) {
        (Some(only), None) => Some(only.into()),
        _ => None,
    }
}

fn next_hit(screen: &mut Screen, down: bool) {
    let Some(query) = screen.search.query() else {
        screen.notice = Some(format!("{} searches", keys::name(Action::Search)));
        return;
    };
    let Some((focus, _)) = screen.focus() else {
        return;
    };
    let hit = if down {
        screen.search.after(focus, false)
    } else {
        screen.search.before(focus)
    };
    match hit {
        Some(hit) => screen.reveal_hit(hit),
        None => screen.notice = Some(format!("nothing matches {}", query.text())),
    }
}

fn next_error(screen: &mut Screen, action: Action) {
    let down = action == Action::NextError;
    let found =
        screen.seek(down, Screen::is_error) || screen.seek_outermost(down, Screen::is_error);
    screen.notice = Some(match screen.place_among(Screen::is_error) {
        Some((place, count)) if found => {
            format!("error {}/{}", count_of(place), count_of(count))
        }
        _ => "no error".into(),
    });
}

fn next_operation(screen: &mut Screen, action: Action) {
    let down = action == Action::NextOperation;
    if !screen.seek(down, |record| record.begins) {
        let place = if down { "below" } else { "above" };
        screen.notice = Some(format!("no operation begins {place}"));
    }
}

fn change_level(screen: &mut Screen, action: Action) {
    let lowest = screen.lowest.unwrap_or(Level::Trace);
    match action {
        Action::RaiseLevel => screen.filter.raise(lowest),
        Action::LowerLevel => screen.filter.lower(lowest),
        Action::ShowDebug => screen.filter.set_level(Level::Debug),
        Action::ShowInfo => screen.filter.set_level(Level::Info),
        Action::ShowWarn => screen.filter.set_level(Level::Warn),
        Action::ShowError => screen.filter.set_level(Level::Error),
        _ => screen.filter.set_level(Level::Trace),
    }
    screen.refilter();
    screen.notice = Some(match screen.filter.level() {
        None => "all levels".into(),
        Some(level) => format!("{level} and worse"),
    });
}

/// Draws a ruler while following, to find the place again; otherwise opens the message in focus.
fn open(screen: &mut Screen, now: Duration) {
    if screen.is_following() {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let time = screen.options.began.saturating_add(millis);
        let clock = format::clock(time, screen.options.utc_offset);
        screen.push(Record::own(RecordKind::Ruler, None, &clock, now));
    } else if let Some((_, record)) = screen.focus() {
        let detail = Detail::new(record.clone(), &screen.options);
        screen.mode = Mode::Detail(Box::new(detail));
    }
}
