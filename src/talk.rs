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
