//! The command as a process: how it is started, and what a signal to it reaches.
//!
//! It leads a process group of its own, so that a signal reaches all that it started. Only where `send`
//! runs in the foreground of a terminal, the command shares its group: the terminal then treats the
//! command as what runs there (it may ask for a password; Ctrl-Z stops both), and a signal of ours goes
//! to the command alone.

use std::{io, process::Stdio};

use pty_process::{OwnedReadPty, Pts, Pty, Size};
use rustix::{
    process::{Pid, Signal, getpgrp, kill_process, kill_process_group},
    termios::{tcgetpgrp, tcgetwinsize},
};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::child::{self, StartError};

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

/// What signals go to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pid: Option<Pid>,
    shares_our_group: bool,
}

/// Starts the command, on a pseudo-terminal if so wanted.
pub(super) fn start(mut command: Command, pty: bool) -> Result<(Child, Target, Pipes), StartError> {
    // It reads what we would read. A pseudo-terminal is for its output.
    command.stdin(Stdio::inherit()).kill_on_drop(true);
    let (child, pipes, shares_our_group) = if pty {
        let program = command.as_std().get_program().to_owned();
        let (child, pty) =
            on_a_terminal(command).map_err(|error| StartError::new(&program, into_io(error)))?;
        (child, Pipes::Terminal(pty.into_split().0), false)
    } else {
        let shares = in_the_foreground();
        if !shares {
            command.process_group(0);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child::start(&mut command)?;
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        (child, Pipes::Two { stdout, stderr }, shares)
    };
    let id = child.id().and_then(|it| i32::try_from(it).ok());
    let target = Target {
        pid: id.and_then(Pid::from_raw),
        shares_our_group,
    };
    Ok((child, target, pipes))
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

/// Whether stdin is a terminal which takes us for what runs there now.
fn in_the_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
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

impl Target {
    /// Whether what the terminal sends to us (Ctrl-C, a hangup) reaches the command too.
    pub(super) fn hears_the_terminal(self) -> bool {
        self.shares_our_group
    }

    /// Sends a signal to the command and, as far as it can be told, to all that it started. Who has
    /// ended needs none.
    pub(super) fn signal_all(self, signal: Signal) {
        if self.shares_our_group {
            self.signal(signal);
        } else if let Some(pid) = self.pid {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Sends a signal to the command alone. Only to be called before its end was waited for.
    pub(super) fn signal(self, signal: Signal) {
        if let Some(pid) = self.pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends what the command left behind, where that can be told from ourselves.
    pub(super) fn kill_leftovers(self) {
        if !self.shares_our_group {
            self.signal_all(Signal::KILL);
        }
    }
}
