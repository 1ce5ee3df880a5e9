//! Lines for people, on stderr. Made safe for a terminal here, since they quote foreign text; a
//! stderr that nobody reads is no reason to fail.

use std::io::{self, IsTerminal, Write};

use super::safe_text::{self, Colour};
use super::status_line;
use super::streams;

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
    let _pinned = status_line::lock();
    let _ = streams::stderr().write_all(lines);
}

/// Shows lines as [`lines`] does, but never behind what another program has left unfinished on the same
/// terminal.
pub fn lines_apart(lines: &[u8]) {
    let _pinned = status_line::lock();
    let apart = status_line::width().map(fresh_row).unwrap_or_default();
    let _ = streams::stderr().write_all(&[apart.as_bytes(), lines].concat());
}

/// Goes to the begin of a row that nothing is on. So many blanks end in the next row, unless they begin
/// in the first column: there the cursor waits behind the last one.
fn fresh_row(width: usize) -> String {
    let columns = width + 1;
    format!("{:columns$}\r\x1b[K", "")
}

/// Stderr for a log: where nobody reads it any more, what is written is gone, and that is no error.
/// (The macros that print to stderr panic there.)
#[derive(Debug, Default)]
pub struct Stderr(());

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = streams::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
