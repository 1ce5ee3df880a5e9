//! Commands: starting them, their exit codes, and signals to them.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal as Number, kill_process, kill_process_group};
use rustix::termios::tcgetpgrp;
use thiserror::Error;
use tokio::process::{Child, Command};

use crate::signals::Signal;

/// Time that a command has to end after a signal, before it is killed.
pub(crate) const KILL_AFTER: Duration = Duration::from_secs(5);

/// Why a command could not be started.
#[derive(Debug, Error)]
#[error("cannot run {}: {}", self.name(), self.reason())]
pub(crate) struct StartError {
    program: OsString,
    source: io::Error,
}

impl StartError {
    /// Creates the error for this program and reason.
    #[must_use]
    pub(crate) fn new(program: &OsStr, source: io::Error) -> Self {
        Self {
            program: program.to_owned(),
            source,
        }
    }

    fn name(&self) -> Cow<'_, str> {
        if self.program.is_empty() {
            "''".into()
        } else {
            self.program.to_string_lossy()
        }
    }

    fn reason(&self) -> String {
        let path = Path::new(&self.program);
        let is_a_path = self.is_a_path();
        let errno = Errno::from_io_error(&self.source);
        match self.source.kind() {
            _ if self.program.is_empty() => "it has no name".into(),
            ErrorKind::NotFound if !is_a_path => "no directory in PATH has such a command".into(),
            ErrorKind::NotFound if path.exists() => {
                "the interpreter that its first line names is not there".into()
            }
            ErrorKind::PermissionDenied if path.is_dir() && is_a_path => "it is a directory".into(),
            ErrorKind::PermissionDenied if is_a_path => {
                let path = self.name();
                format!("permission denied; to make it executable: chmod +x {path}")
            }
            _ if errno == Some(Errno::NOEXEC) => {
                "it is neither a program nor a script that begins with a line such as #!/bin/sh"
                    .into()
            }
            _ => self.source.to_string(),
        }
    }

    fn is_a_path(&self) -> bool {
        self.program.as_encoded_bytes().contains(&b'/')
    }

    /// Returns the exit code that a shell would give: 127 if there is no such command, 126 if it cannot be
    /// run.
    #[must_use]
    pub(crate) fn exit_code(&self) -> u8 {
        let is_there = self.is_a_path() && Path::new(&self.program).exists();
        if self.source.kind() == ErrorKind::NotFound && !is_there {
            127
        } else {
            126
        }
    }
}

/// Starts a command.
///
/// # Errors
/// If it is not found or may not be run.
pub(crate) fn start(command: &mut Command) -> Result<Child, StartError> {
    let child = command.spawn();
    child.map_err(|source| StartError::new(command.as_std().get_program(), source))
}

/// Returns the exit code that a shell would give: the command's own, or 128 and the signal's number.
#[must_use]
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    if let Some(signal) = status.signal() {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    // Exit codes are one byte.
    u8::try_from(status.code().unwrap_or(1) & 0xff).unwrap_or(1)
}

/// The processes that a signal to a command is sent to.
///
/// A command leads a process group of its own, so that a signal reaches everything that it started. Only if this
/// program has a controlling terminal, the command shares its group: the terminal then treats both alike, wherever
/// their streams go. In the foreground the command may ask for a password, and Ctrl-Z stops both; in the background,
/// reading stops both, and `fg` continues both. A signal from this program then goes to the command and its
/// descendants, one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalTarget {
    pid: Option<Pid>,
    shares_our_group: bool,
}

impl SignalTarget {
    /// Creates the target for a command, in this program's group or in its own.
    #[must_use]
    pub(crate) fn new(child: &Child, shares_our_group: bool) -> Self {
        let id = child.id().and_then(|it| i32::try_from(it).ok());
        Self {
            pid: id.and_then(Pid::from_raw),
            shares_our_group,
        }
    }

    /// Passes on a signal that this program received. If it came from the terminal (Ctrl-C, a hangup), a command in the
    /// same group has received it already.
    pub(crate) fn pass_on(self, signal: Signal, by_terminal: bool) {
        if !(by_terminal && self.shares_our_group) {
            self.signal_all(match signal {
                Signal::Interrupt => Number::INT,
                Signal::Terminate => Number::TERM,
                Signal::Hangup => Number::HUP,
            });
        }
    }

    /// Sends a signal to the command and, as far as they can be found, to everything that it started. Ignores processes
    /// that have ended.
    pub(crate) fn signal_all(self, signal: Number) {
        let Some(pid) = self.pid else { return };
        if !self.shares_our_group {
            let _ = kill_process_group(pid, signal);
            return;
        }
        for pid in std::iter::once(pid).chain(descendants(pid)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends a signal to the command alone. Call it only before waiting for the command's end.
    pub(crate) fn signal(self, signal: Number) {
        if let Some(pid) = self.pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills what the command left behind, if it can be distinguished from this program.
    pub(crate) fn kill_leftovers(self) {
        if !self.shares_our_group {
            self.signal_all(Number::KILL);
        }
    }
}

/// Returns the descendants of a process, if the system lists processes.
fn descendants(ancestor: Pid) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pairs: Vec<(Pid, Pid)> = processes
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name, which may contain anything: the state, then the parent.
            let (_, rest) = stat.rsplit_once(')')?;
            let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
            Some((Pid::from_raw(parent)?, pid))
        })
        .collect();
    let mut found = vec![ancestor];
    let mut seen = 0;
    while let Some(&parent) = found.get(seen) {
        seen += 1;
        let children = pairs.iter().filter(|(of, _)| *of == parent);
        found.extend(children.map(|(_, pid)| *pid));
    }
    found.split_off(1)
}

/// Starts a command in the group that suits it.
///
/// # Errors
/// If it is not found or may not be run.
pub(crate) fn start_in_group(command: &mut Command) -> Result<(Child, SignalTarget), StartError> {
    let shares_our_group = has_a_controlling_terminal();
    if !shares_our_group {
        command.process_group(0);
    }
    let child = start(command)?;
    let target = SignalTarget::new(&child, shares_our_group);
    Ok((child, target))
}

/// Returns whether this program has a controlling terminal, so that a command that reads it must be in a group of its
/// job.
///
/// The standard streams do not matter: a program that asks for a password opens `/dev/tty`.
fn has_a_controlling_terminal() -> bool {
    controlling_terminal().is_some_and(|it| tcgetpgrp(it).is_ok())
}

/// Opens the controlling terminal, if there is one.
#[must_use]
pub(crate) fn controlling_terminal() -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()
}

/// Creates a command from its words.
#[must_use]
pub(crate) fn command(words: &[impl AsRef<OsStr>]) -> Option<Command> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments);
    Some(command)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn an_exit_code_is_the_commands_own_or_that_of_its_signal() {
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(15)), 143);
    }

    #[tokio::test]
    async fn a_command_that_cannot_be_started_has_a_shells_exit_code() {
        for (program, code, why) in [
            ("/nowhere/to/be/found", 127, "No such file"),
            ("nowhere-to-be-found", 127, "PATH"),
            ("/", 126, "directory"),
        ] {
            let error = start(&mut Command::new(program)).unwrap_err();
            assert_eq!(error.exit_code(), code, "{error}");
            let text = error.to_string();
            assert!(text.contains(program) && text.contains(why), "{text}");
        }
    }
}
