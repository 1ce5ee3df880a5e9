//! Lines for people, on stderr. Made safe for a terminal here, since they quote foreign text; a
//! stderr that nobody reads is no reason to fail.
//!
//! On a terminal, one line can be pinned to the last row. All other rows are made the region that
//! scrolls, so that whatever writes to the same terminal, such as a command that runs meanwhile, neither
//! writes over it nor leaves pieces of it behind.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
};

use crate::terminal::safe_text::{self, Colour};

/// The pinned line. Held by whoever writes, so that lines do not mix.
static PINNED: Mutex<Pinned> = Mutex::new(Pinned {
    line: String::new(),
    row: 0,
});

/// A line below the region that scrolls.
struct Pinned {
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

/// Says a line of the program's own.
pub fn line(text: &str) {
    lines(own_line(text).as_bytes());
}

/// Says a line of the program's own on a row of its own, whatever a command has left on the last one.
pub fn line_apart(text: &str) {
    lines_apart(own_line(text).as_bytes());
}

fn own_line(text: &str) -> String {
    safe("codechat: ", text, "")
}

/// Shows a line that is about the stream, set off from its messages.
pub fn aside(text: &str) {
    lines(aside_line(text).as_bytes());
}

/// The line that [`aside`] shows, with its end, for whoever writes it himself.
#[must_use]
pub fn aside_line(text: &str) -> String {
    safe("-- ", text, " --")
}

/// Shows lines as they are, with their ends.
pub fn lines(lines: &[u8]) {
    let _pinned = pinned();
    let _ = io::stderr().write_all(lines);
}

/// Shows lines as [`lines`] does, but never behind what another program has left unfinished on the same
/// terminal.
pub fn lines_apart(lines: &[u8]) {
    let _pinned = pinned();
    let apart = width().map(fresh_row).unwrap_or_default();
    let _ = io::stderr().write_all(&[apart.as_bytes(), lines].concat());
}

/// Goes to the begin of a row that nothing is on. So many blanks end in the next row, unless they begin
/// in the first column: there the cursor waits behind the last one.
fn fresh_row(width: usize) -> String {
    let columns = width + 1;
    format!("{:columns$}\r\x1b[K", "")
}

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
    let _ = io::stderr().write_all(drawn.as_bytes());
    line.clone_into(&mut pinned.line);
    pinned.row = row;
}

/// Takes the pinned line away, if there is one.
pub fn unpin() {
    pinned().remove();
}

/// Takes the pinned line away, and lets nobody write while something else has the terminal.
pub fn yield_terminal(meanwhile: impl FnOnce()) {
    let mut pinned = pinned();
    pinned.remove();
    meanwhile();
}

fn pinned() -> MutexGuard<'static, Pinned> {
    PINNED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pinned {
    fn remove(&mut self) {
        if self.row > 0 {
            // Where the size has changed, it is not known what is in which row.
            let still = rows() == Some(self.row);
            let erased = still.then(|| format!("\x1b[{};1H\x1b[2K", self.row));
            let gone = [KEEP, WHOLE, &erased.unwrap_or_default(), BACK].concat();
            let _ = io::stderr().write_all(gone.as_bytes());
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
#[cfg(unix)]
fn is_in_background() -> bool {
    let foreground = rustix::termios::tcgetpgrp(io::stderr());
    foreground.is_ok_and(|it| it != rustix::process::getpgrp())
}

#[cfg(not(unix))]
fn is_in_background() -> bool {
    false
}

fn columns() -> Option<usize> {
    size().map(|(columns, _)| columns.into())
}

fn rows() -> Option<u16> {
    size().map(|(_, rows)| rows)
}

/// The terminal's columns and rows, where stderr is one that tells.
#[cfg(unix)]
fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

#[cfg(not(unix))]
fn size() -> Option<(u16, u16)> {
    None
}

/// Stderr for a log: where nobody reads it any more, what is written is gone, and that is no error.
/// (The macros that print to stderr panic there.)
#[derive(Debug, Default)]
pub struct Stderr(());

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A duration as people read it: `0.3 s`, `4 s`, `1m 30s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    match (tenths / 10, tenths % 10) {
        (60.., _) => {
            humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
        }
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenth) => format!("{seconds}.{tenth} s"),
    }
}

fn safe(before: &str, text: &str, after: &str) -> String {
    let safe: Vec<_> = safe_text::safe_lines(text, colour(&io::stderr())).collect();
    format!("{before}{}{after}\n", safe.join("\n"))
}

/// Whether colours are wanted where this goes (<https://no-color.org>).
pub fn colour(output: &impl IsTerminal) -> Colour {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted || !output.is_terminal() {
        Colour::Strip
    } else {
        Colour::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_to_read() {
        for (millis, text) in [
            (0, "0 s"),
            (260, "0.3 s"),
            (1300, "1.3 s"),
            (4000, "4 s"),
            (90_400, "1m 30s"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }
}
