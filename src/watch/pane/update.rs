//! Events and their effects: `update(screen, message, now)` changes the model and returns the effects.
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

/// An event.
#[derive(Debug)]
pub enum Msg {
    /// Updates from the stream, each with its time.
    Updates(Vec<(Duration, Update)>),
    /// The stream cannot be read any more.
    Failed(String),
    /// The stream has no more updates, as at a recording's end.
    Ended,
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The screen has a new size.
    Resize(u16, u16),
    /// A mouse event.
    Mouse(Mouse),
    /// Time has passed.
    Tick,
    /// The result of an effect.
    Notice(String),
}

/// A mouse event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// The wheel turned.
    Wheel {
        /// Whether towards the user, which scrolls down.
        down: bool,
    },
    /// A click on this row of the screen.
    Click(u16),
}

/// What is to be done outside the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Copy a text to the clipboard.
    Copy {
        /// The text.
        text: String,
        /// The notice when it is done.
        notice: String,
    },
    /// Write a new file.
    Save(PathBuf, Vec<u8>),
    /// Send a control request.
    Control(ControlRequest),
    /// Reconnect.
    Reconnect,
    /// Capture or release the mouse.
    Mouse(bool),
    /// Give the terminal to the shell for a while.
    Suspend,
    /// Close the pane.
    Leave(Leave),
}

/// Rows per turn of the wheel.
const WHEEL: usize = 3;

/// Handles an event.
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
            on_mouse(screen, mouse);
            Vec::new()
        }
        Msg::Tick | Msg::Ended => Vec::new(),
        Msg::Notice(notice) => {
            screen.notice = Some(notice);
            Vec::new()
        }
    }
}

/// Handles an update from the stream.
fn take(screen: &mut Screen, update: Update, now: Duration) -> Option<Effect> {
    let ends = matches!(update, Update::End(_) | Update::Gone);
    let verdict = screen.model.update(&update, now);
    screen.take(update, now);
    match verdict {
        // While the user reads, the pane stays open at the stream's end.
        Some(_) if ends => None,
        Some(verdict) => Some(Effect::Leave(Leave::Over(verdict))),
        None => None,
    }
}

fn on_mouse(screen: &mut Screen, mouse: Mouse) {
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
        (Mode::Help(scroll), Mouse::Wheel { down }) => *scroll = wheel_scrolled(*scroll, down),
        (Mode::Detail(detail), Mouse::Wheel { down }) => {
            detail.scroll = wheel_scrolled(detail.scroll, down);
        }
        _ => {}
    }
}

fn wheel_scrolled(scroll: usize, down: bool) -> usize {
    if down {
        scroll + WHEEL
    } else {
        scroll.saturating_sub(WHEEL)
    }
}
