//! A line that stays in the last row of the terminal, below all that scrolls.
//!
//! All other rows are made the region that scrolls, so that whatever writes to the same terminal, such as a
//! command that runs meanwhile, neither writes over it nor leaves pieces of it behind.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::streams;

/// The pinned line. Held by whoever writes, so that lines do not mix.
static PINNED: Mutex<Pinned> = Mutex::new(Pinned {
    line: String::new(),
    row: 0,
});

/// A line below the region that scrolls.
pub(super) struct Pinned {
    line: String,
    /// The row that it is on, from 1; 0 where there is none.
    row: u16,
}

/// Remembers the cursor's place, which setting a region and going elsewhere lose.
const KEEP: &str = "\x1b7";
/// Goes back to the place that was remembered.
const BACK: &str = "\x1b8";
/// Leaves the last row: a vertical tab goes down in its column, and scrolls where there is no row.
const OFF_LAST_ROW: &str = "\x0b\x1b[A";
/// Makes all rows scroll.
const WHOLE: &str = "\x1b[r";
/// A terminal with fewer rows has none to spare.
const ROWS_MIN: u16 = 4;

/// Pins a line, which must be safe and narrower than the terminal, in place of the one before. Not now
/// where something else is being written: a pinned line is never worth waiting for.
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
    // The region every time: another program may have set its own.
    let _ = write!(
        drawn,
        "{KEEP}\x1b[1;{}r\x1b[{row};1H\x1b[2K{line}{BACK}",
        row - 1
    );
    let _ = streams::stderr().write_all(drawn.as_bytes());
    line.clone_into(&mut pinned.line);
    pinned.row = row;
}

/// Takes the pinned line away, if there is one.
pub fn unpin() {
    lock().remove();
}

/// Takes the pinned line away, and lets nobody write while something else has the terminal.
pub fn yield_terminal(meanwhile: impl FnOnce()) {
    let mut pinned = lock();
    pinned.remove();
    meanwhile();
}

/// Takes the line, so that nobody else writes to the terminal meanwhile.
pub(super) fn lock() -> MutexGuard<'static, Pinned> {
    PINNED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pinned {
    fn remove(&mut self) {
        if self.row > 0 {
            // Where the size has changed, it is not known what is in which row.
            let still = rows() == Some(self.row);
            let erased = still.then(|| format!("\x1b[{};1H\x1b[2K", self.row));
            let gone = [KEEP, WHOLE, &erased.unwrap_or_default(), BACK].concat();
            let _ = streams::stderr().write_all(gone.as_bytes());
        }
        self.line.clear();
        self.row = 0;
    }
}

/// How many columns a pinned line may have, where stderr is a terminal that can show one.
#[must_use]
pub fn width() -> Option<usize> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|it| it.is_empty() || it == "dumb");
    if is_dumb || !io::stderr().is_terminal() || is_in_background() {
        return None;
    }
    // A line that fills its row would begin the next one on some terminals.
    columns().map(|it| it.saturating_sub(1))
}

/// Whether the terminal is somebody else's for the time being: a shell's, that was told `&`.
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

/// The terminal's columns and rows, where stderr is one that tells.
fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}
