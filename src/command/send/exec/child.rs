//! The command as a process: where its output comes from, and what a signal to it reaches.

use std::io;
use std::process::Stdio;

use pty_process::{OwnedReadPty, Pts, Pty, Size};
use rustix::process::Signal;
use rustix::termios::tcgetwinsize;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::process::{self, SignalTarget, StartError};

/// A pseudo-terminal's size where there is no terminal to take it from.
const COLUMNS_ROWS: (u16, u16) = (80, 24);

/// Where a command's output comes from.
pub(super) enum Pipes {
    /// Its stdout and its stderr.
    Two {
        stdout: ChildStdout,
        stderr: ChildStderr,
    },
    /// A pseudo-terminal, which both are.
    Terminal(OwnedReadPty),
}

/// Starts the command, on a pseudo-terminal if so wanted.
pub(super) fn start(
    mut command: Command,
    pty: bool,
) -> Result<(Child, SignalTarget, Pipes), StartError> {
    // It reads what we would read. A pseudo-terminal is for its output.
    command.stdin(Stdio::inherit()).kill_on_drop(true);
    if pty {
        let program = command.as_std().get_program().to_owned();
        let (child, pty) =
            on_a_terminal(command).map_err(|error| StartError::new(&program, into_io(error)))?;
        let target = SignalTarget::new(&child, false);
        return Ok((child, target, Pipes::Terminal(pty.into_split().0)));
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, target) = process::start_in_group(&mut command)?;
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    Ok((child, target, Pipes::Two { stdout, stderr }))
}

fn on_a_terminal(command: Command) -> pty_process::Result<(Child, Pty)> {
    let (pty, pts): (Pty, Pts) = pty_process::open()?;
    let (columns, rows) = our_size().unwrap_or(COLUMNS_ROWS);
    pty.resize(Size::new(rows, columns))?;
    let command = pty_process::Command::from(command).stdin(Stdio::inherit());
    Ok((command.spawn(pts)?, pty))
}

fn into_io(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
        other => io::Error::other(other),
    }
}

/// The size of the terminal that we run in.
fn our_size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stderr())
        .or_else(|_| tcgetwinsize(io::stdout()))
        .or_else(|_| tcgetwinsize(io::stdin()))
        .ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// A signal by its name.
pub(super) fn signal(name: &str) -> Option<Signal> {
    Some(match name {
        "HUP" => Signal::HUP,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        "WINCH" => Signal::WINCH,
        "CONT" => Signal::CONT,
        _ => return None,
    })
}
