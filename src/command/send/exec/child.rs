//! The command's process: its output, and the signals to it.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::process::Stdio;

use pty_process::{OwnedReadPty, Pts, Pty, Size};
use rustix::process::Signal;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::terminal_input::TerminalInput;
use crate::process::{self, SignalTarget, StartError};
use crate::terminal::size::size;

/// Where a command's output comes from.
pub(super) enum Pipes {
    /// Its stdout and its stderr.
    Two {
        stdout: ChildStdout,
        stderr: ChildStderr,
    },
    /// A pseudo-terminal, which both are.
    Terminal(OwnedReadPty, TerminalInput),
}

/// Starts the command, on a pseudo-terminal if wanted.
pub(super) fn start(
    mut command: Command,
    pty: bool,
) -> Result<(Child, SignalTarget, Pipes), StartError> {
    command.kill_on_drop(true);
    if pty {
        let program = command.as_std().get_program().to_owned();
        let started = on_a_terminal(command);
        let (child, output, input) =
            started.map_err(|error| StartError::new(&program, into_io(error)))?;
        let target = SignalTarget::new(&child, false);
        return Ok((child, target, Pipes::Terminal(output, input)));
    }
    // It reads what this program would read.
    command.stdin(Stdio::inherit());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, target) = process::start_in_group(&mut command)?;
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    Ok((child, target, Pipes::Two { stdout, stderr }))
}

fn on_a_terminal(command: Command) -> pty_process::Result<(Child, OwnedReadPty, TerminalInput)> {
    let (pty, pts): (Pty, Pts) = pty_process::open()?;
    let (columns, rows) = size();
    pty.resize(Size::new(rows, columns))?;
    let mut command = pty_process::Command::from(command);
    if !io::stdin().is_terminal() {
        // It reads what this program would read, but prompts on its terminal.
        command = command.stdin(Stdio::inherit());
    }
    let child = command.spawn(pts)?;
    let modes = pty.as_fd().try_clone_to_owned()?;
    let (output, input) = pty.into_split();
    Ok((child, output, TerminalInput::new(input, modes)?))
}

fn into_io(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
        other => io::Error::other(other),
    }
}

/// Returns the signal with this name.
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
