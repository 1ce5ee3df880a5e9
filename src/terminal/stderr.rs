//! Lines for people, on stderr. They quote foreign text, so they are made safe for a terminal here. Errors of writing
//! are ignored: an unread stderr is no reason to fail.

use std::io::{self, IsTerminal, Write};

use super::safe_text::{self, Colour};
use super::status_line;
use super::streams;

/// Prints a line of the program's own.
pub fn line(text: &str) {
    lines(own_line(text).as_bytes());
}

/// Prints a line of the program's own in a row of its own, even if a command has left the last line unfinished.
pub fn line_apart(text: &str) {
    lines_apart(own_line(text).as_bytes());
}

fn own_line(text: &str) -> String {
    safe("codechat: ", text, "")
}

/// Prints a line about the stream, which is set off from messages.
pub fn aside(text: &str) {
    lines(aside_line(text).as_bytes());
}

/// Returns the line that [`aside`] prints, with its end, for a caller that writes it.
#[must_use]
pub fn aside_line(text: &str) -> String {
    safe("-- ", text, " --")
}

/// Prints lines unchanged, with their ends.
pub fn lines(lines: &[u8]) {
    let _pinned = status_line::lock();
    let _ = streams::stderr().write_all(lines);
}

/// Prints lines like [`lines`], but never in a row that another program has left unfinished on the same
/// terminal.
pub fn lines_apart(lines: &[u8]) {
    let _pinned = status_line::lock();
    let apart = status_line::width().map(fresh_row).unwrap_or_default();
    let _ = streams::stderr().write_all(&[apart.as_bytes(), lines].concat());
}

/// Returns what moves the cursor to the beginning of an empty row. That many spaces end in the next row, unless they
/// begin in the first column: there the cursor waits at the row's end.
fn fresh_row(width: usize) -> String {
    let columns = width + 1;
    format!("{:columns$}\r\x1b[K", "")
}

/// Stderr for a log: errors of writing are ignored. (The macros that print to stderr would panic.)
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

/// Returns whether to keep colours for this output (<https://no-color.org>).
pub fn colour(output: &impl IsTerminal) -> Colour {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted || !output.is_terminal() {
        Colour::Strip
    } else {
        Colour::Keep
    }
}
