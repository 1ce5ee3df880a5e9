//! Lines for people, on stderr. Made safe for a terminal here, since they quote foreign text; a
//! stderr that nobody reads is no reason to fail.
//!
//! On a terminal, one line can be pinned below all others. It stands one row under the cursor, which
//! stays where the last line has left it: so another program that writes to the same terminal, such
//! as a command that runs meanwhile, goes on where it was, and what it leaves unfinished (a question,
//! say) is not written over.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError, TryLockError},
    time::Duration,
};

use crate::text::{self, Colour};

/// The pinned line, empty where there is none. Held by whoever writes, so that lines do not mix.
static PINNED: Mutex<String> = Mutex::new(String::new());

/// Erases what is right of the cursor and below it.
const ERASE: &str = "\x1b[J";
/// Makes sure of a row below the cursor's (a vertical tab goes down and stays in its column, and
/// scrolls where there is no row), remembers the place, and goes to the begin of that row.
const TO_ROW_BELOW: &str = "\x0b\x1b[A\x1b7\x1b[B\r";
/// Goes back to the place that was remembered.
const BACK: &str = "\x1b8";
/// As wide as a terminal is taken to be that does not tell.
const USUAL_WIDTH: usize = 80;

/// Says a line of the program's own.
pub fn line(text: &str) {
    lines(safe("codechat: ", text, "").as_bytes());
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
    let pinned = PINNED.lock().unwrap_or_else(PoisonError::into_inner);
    if pinned.is_empty() {
        let _ = io::stderr().write_all(lines);
        return;
    }
    let below = [TO_ROW_BELOW, &pinned, BACK].concat();
    let _ = io::stderr().write_all(&[ERASE.as_bytes(), lines, below.as_bytes()].concat());
}

/// Pins a line, which must be safe and narrower than the terminal, in place of the one before. Not now
/// where something else is being written: a pinned line is never worth waiting for.
pub fn pin(line: &str) {
    let mut pinned = match PINNED.try_lock() {
        Ok(pinned) => pinned,
        Err(TryLockError::Poisoned(error)) => error.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if *pinned != line {
        line.clone_into(&mut pinned);
        let _ = io::stderr().write_all([ERASE, TO_ROW_BELOW, line, BACK].concat().as_bytes());
    }
}

/// Takes the pinned line away, if there is one.
pub fn unpin() {
    let mut pinned = PINNED.lock().unwrap_or_else(PoisonError::into_inner);
    if !std::mem::take(&mut *pinned).is_empty() {
        let _ = io::stderr().write_all(ERASE.as_bytes());
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
    Some(columns().unwrap_or(USUAL_WIDTH).saturating_sub(1))
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

#[cfg(unix)]
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
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
    let safe: Vec<_> = text::safe_lines(text, colour(&io::stderr())).collect();
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
