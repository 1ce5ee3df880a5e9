//! The size of the program's terminal.

use std::fs::File;
use std::io;

use rustix::termios::{Winsize, tcgetwinsize};

/// Size of a terminal that reports none, in columns and rows.
const DEFAULT: (u16, u16) = (80, 24);

/// Returns the terminal's columns and rows. What it does not report, as over a serial line, is taken from `COLUMNS` and
/// `LINES`, or is 80 and 24.
#[must_use]
pub fn size() -> (u16, u16) {
    let reported = reported();
    let columns = reported.map_or(0, |it| it.ws_col);
    let rows = reported.map_or(0, |it| it.ws_row);
    (
        above_zero(columns)
            .or_else(|| variable("COLUMNS"))
            .unwrap_or(DEFAULT.0),
        above_zero(rows)
            .or_else(|| variable("LINES"))
            .unwrap_or(DEFAULT.1),
    )
}

fn reported() -> Option<Winsize> {
    let reported = tcgetwinsize(io::stdout())
        .or_else(|_| tcgetwinsize(io::stderr()))
        .or_else(|_| tcgetwinsize(io::stdin()));
    reported
        .ok()
        .or_else(|| tcgetwinsize(File::open("/dev/tty").ok()?).ok())
}

fn variable(name: &str) -> Option<u16> {
    above_zero(std::env::var(name).ok()?.parse().ok()?)
}

fn above_zero(number: u16) -> Option<u16> {
    (number > 0).then_some(number)
}
