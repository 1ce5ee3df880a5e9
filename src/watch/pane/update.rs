//! What happens, and what it makes of the screen: `update(screen, message, now)`, and out come the
//! effects that the pane is to have outside.
//!
//! Pure, like [`state`](super::state).

mod keys;
mod prompt;

use std::path::PathBuf;
use std::time::Duration;

use super::keys::Key;
use super::state::connection::ConnectionState;
use super::state::navigation::Far;
use super::state::records::{Record, RecordKind};
use super::state::{Leave, Mode, Screen};
use crate::client::subscribe::Update;
use crate::control::ControlRequest;
use crate::message::Level;

/// What happens.
#[derive(Debug)]
pub enum Msg {
    /// Things came from the stream, each at its time.
    Updates(Vec<(Duration, Update)>),
    /// The stream cannot be read any more.
    Failed(String),
    /// There is no more of it, as at a recording's end.
    Ended,
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The screen has another size.
    Resize(u16, u16),
    /// The mouse did something.
    Mouse(Mouse),
    /// Time has passed.
    Tick,
    /// An effect came to this.
    Notice(String),
}

/// What a mouse does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// The wheel turned, away from the user or towards him.
    Wheel {
        /// Towards the user: what is below comes up.
        down: bool,
    },
    /// A click on a row of the screen.
    Click(u16),
}

/// What is to happen outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Put a text on the clipboard.
    Copy {
        /// What.
        text: String,
        /// What is told once that is done.
        told: String,
    },
    /// Write a new file.
    Save(PathBuf, Vec<u8>),
    /// Ask publishers for something.
    Control(ControlRequest),
    /// Make the connection again.
    Reconnect,
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// Give the terminal to the shell for a while.
    Suspend,
    /// Leave.
    Leave(Leave),
}

/// How many rows a turn of the wheel moves.
const WHEEL: usize = 3;

/// Takes what happens.
pub fn update(screen: &mut Screen, msg: Msg, now: Duration) -> Vec<Effect> {
    match msg {
        Msg::Updates(updates) => {
            let each = updates.into_iter();
            each.filter_map(|(at, it)| take(screen, it, at)).collect()
        }
        Msg::Failed(reason) => {
            let text = format!("the stream cannot be read any more: {reason}");
            screen.push(Record::own(
                RecordKind::Note,
                Some(Level::Error),
                &text,
                now,
            ));
            screen.connection.state = ConnectionState::Failed(reason);
            Vec::new()
        }
        Msg::Ended if screen.connection.is_open() => {
            screen.connection.state = ConnectionState::Ended;
            Vec::new()
        }
        Msg::Key(key) => {
            screen.notice = None;
            keys::key(screen, key, now)
        }
        Msg::Paste(text) => {
            prompt::paste(screen, &text);
            Vec::new()
        }
        Msg::Resize(width, height) => {
            (screen.width, screen.height) = (width.max(1), height.max(1));
            Vec::new()
        }
        Msg::Mouse(mouse) => {
            pointed(screen, mouse);
            Vec::new()
        }
        Msg::Tick | Msg::Ended => Vec::new(),
        Msg::Notice(notice) => {
            screen.notice = Some(notice);
            Vec::new()
        }
    }
}

/// Takes an update from the stream.
fn take(screen: &mut Screen, update: Update, now: Duration) -> Option<Effect> {
    let ends = matches!(update, Update::End(_) | Update::Gone);
    let verdict = screen.model.update(&update, now);
    screen.take(update, now);
    match verdict {
        // Whoever reads goes on reading when the stream has ended.
        Some(_) if ends => None,
        Some(verdict) => Some(Effect::Leave(Leave::Over(verdict))),
        None => None,
    }
}

fn pointed(screen: &mut Screen, mouse: Mouse) {
    match (&mut screen.mode, mouse) {
        (Mode::Messages, Mouse::Wheel { down }) => screen.scroll(down, Far::Rows(WHEEL)),
        (Mode::Messages, Mouse::Click(row)) => {
            let parts = screen.parts();
            let above = 1 + parts.operations + u16::from(parts.rules);
            let row = row.checked_sub(above).map(usize::from);
            let page = screen.page();
            if let Some(row) = row.and_then(|it| page.get(it)) {
                screen.reveal(row.record, row.range.start);
            }
        }
        (Mode::Help(scroll), Mouse::Wheel { down }) => *scroll = rolled(*scroll, down),
        (Mode::Detail(detail), Mouse::Wheel { down }) => {
            detail.scroll = rolled(detail.scroll, down);
        }
        _ => {}
    }
}

fn rolled(scroll: usize, down: bool) -> usize {
    if down {
        scroll + WHEEL
    } else {
        scroll.saturating_sub(WHEEL)
    }
}
