//! The size of the terminal that we run in.

use std::fs::File;
use std::io;

use rustix::termios::{Winsize, tcgetwinsize};

/// What a terminal has that tells no size, in columns and rows.
const DEFAULT: (u16, u16) = (80, 24);

/// The terminal's columns and rows. What it does not tell, as over a serial line, is taken from `COLUMNS` and
/// `LINES`, or is 80 and 24.
#[must_use]
pub fn size() -> (u16, u16) {
    let told = told();
    let columns = told.map_or(0, |it| it.ws_col);
    let rows = told.map_or(0, |it| it.ws_row);
    (
        above_zero(columns)
            .or_else(|| variable("COLUMNS"))
            .unwrap_or(DEFAULT.0),
        above_zero(rows)
            .or_else(|| variable("LINES"))
            .unwrap_or(DEFAULT.1),
    )
}

fn told() -> Option<Winsize> {
    let told = tcgetwinsize(io::stdout())
        .or_else(|_| tcgetwinsize(io::stderr()))
        .or_else(|_| tcgetwinsize(io::stdin()));
    told.ok()
        .or_else(|| tcgetwinsize(File::open("/dev/tty").ok()?).ok())
}

fn variable(name: &str) -> Option<u16> {
    above_zero(std::env::var(name).ok()?.parse().ok()?)
}

fn above_zero(number: u16) -> Option<u16> {
    (number > 0).then_some(number)
}
