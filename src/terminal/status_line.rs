//! A status line in the last row of the terminal, below the text that scrolls.
//!
//! The other rows become the scrolling region, so that other output to the terminal, such as a running command's,
//! neither overwrites the line nor leaves pieces of it behind.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::streams;

/// The pinned line. It is locked while writing, so that lines do not mix.
static PINNED: Mutex<Pinned> = Mutex::new(Pinned {
    line: String::new(),
    row: 0,
});

/// A line below the region that scrolls.
pub(super) struct Pinned {
    line: String,
    /// Its row, from 1; 0 if there is none.
    row: u16,
}

/// Saves the cursor's place, which setting a region or moving away loses.
const KEEP: &str = "\x1b7";
/// Restores the saved place.
const BACK: &str = "\x1b8";
/// Leaves the last row: a vertical tab moves down in its column, and scrolls in the last row.
const OFF_LAST_ROW: &str = "\x0b\x1b[A";
/// Makes all rows scroll.
const WHOLE: &str = "\x1b[r";
/// Least height of a terminal that can spare a row.
const ROWS_MIN: u16 = 4;

/// Pins a line, which must be safe and narrower than the terminal, in place of the previous one. Does nothing while
/// something else is being written: a status line is not worth waiting for.
pub fn pin(line: &str) {
    let mut pinned = match PINNED.try_lock() {
        Ok(pinned) => pinned,
        Err(TryLockError::Poisoned(error)) => error.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    let Some(row) = rows().filter(|rows| *rows >= ROWS_MIN) else {
        return pinned.remove();
    };
    if pinned.row == row && pinned.line == line {
        return;
    }
    let mut drawn = String::new();
    if pinned.row != row {
        drawn = format!("{KEEP}{WHOLE}{BACK}{OFF_LAST_ROW}");
    }
    // The region is set every time: another program may have set its own.
    let _ = write!(
        drawn,
        "{KEEP}\x1b[1;{}r\x1b[{row};1H\x1b[2K{line}{BACK}",
        row - 1
    );
    let _ = streams::stderr().write_all(drawn.as_bytes());
    line.clone_into(&mut pinned.line);
    pinned.row = row;
}

/// Removes the pinned line, if there is one.
pub fn unpin() {
    lock().remove();
}

/// Removes the pinned line, and blocks writers while something else has the terminal.
pub fn yield_terminal(meanwhile: impl FnOnce()) {
    let mut pinned = lock();
    pinned.remove();
    meanwhile();
}

/// Locks the line, so that nothing else writes to the terminal meanwhile.
pub(super) fn lock() -> MutexGuard<'static, Pinned> {
    PINNED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pinned {
    fn remove(&mut self) {
        if self.row > 0 {
            // After a change of size, it is not known what is in which row.
            let still = rows() == Some(self.row);
            let erased = still.then(|| format!("\x1b[{};1H\x1b[2K", self.row));
            let gone = [KEEP, WHOLE, &erased.unwrap_or_default(), BACK].concat();
            let _ = streams::stderr().write_all(gone.as_bytes());
        }
        self.line.clear();
        self.row = 0;
    }
}

/// Returns the greatest width of a pinned line, if stderr is a terminal that can show one.
#[must_use]
pub fn width() -> Option<usize> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|it| it.is_empty() || it == "dumb");
    if is_dumb || !io::stderr().is_terminal() || is_in_background() {
        return None;
    }
    // On some terminals a line that fills its row begins the next one.
    columns().map(|it| it.saturating_sub(1))
}

/// Returns whether this program runs in the background of the terminal, as with `&`.
fn is_in_background() -> bool {
    let foreground = rustix::termios::tcgetpgrp(io::stderr());
    foreground.is_ok_and(|it| it != rustix::process::getpgrp())
}

fn columns() -> Option<usize> {
    size().map(|(columns, _)| columns.into())
}

fn rows() -> Option<u16> {
    size().map(|(_, rows)| rows)
}

/// Returns the terminal's columns and rows, if stderr is a terminal that reports them.
fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}
