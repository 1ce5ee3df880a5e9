//! Lines for people, on stderr. Made safe for a terminal here, since they quote foreign text; a
//! stderr that nobody reads is no reason to fail.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use crate::text::{self, Colour};

/// Says a line of the program's own.
pub fn line(text: &str) {
    write("codechat: ", text, "");
}

/// Shows a line that is about the stream, set off from its messages.
pub fn aside(text: &str) {
    write("-- ", text, " --");
}

/// A duration as people read it: to the tenth of a second.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let rounded = Duration::from_millis(u64::try_from(tenths * 100).unwrap_or(u64::MAX));
    humantime::format_duration(rounded).to_string()
}

fn write(before: &str, text: &str, after: &str) {
    let mut stderr = io::stderr().lock();
    let safe: Vec<_> = text::safe_lines(text, colour(&stderr)).collect();
    let _ = writeln!(stderr, "{before}{}{after}", safe.join("\n"));
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
