//! Commands that are run: why one could not be started, how it ended, and signals for it.

use std::{
    ffi::{OsStr, OsString},
    io,
    process::ExitStatus,
    time::Duration,
};

use thiserror::Error;
use tokio::{
    process::{Child, Command},
    time,
};

use crate::shutdown::Signal;

/// So long a command that was told to end may take, before it is ended.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A command could not be started.
#[derive(Debug, Error)]
#[error("cannot run {}: {source}", program.display())]
pub struct StartError {
    program: OsString,
    source: io::Error,
}

impl StartError {
    /// This program could not be started, for this reason.
    #[must_use]
    pub fn new(program: &OsStr, source: io::Error) -> Self {
        Self {
            program: program.to_owned(),
            source,
        }
    }

    /// The exit code that a shell gives: 127 where there is no such command, 126 where there is one
    /// that cannot be run.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.source.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        }
    }
}

/// Starts a command.
///
/// # Errors
/// Where it is not found or may not be run.
pub fn start(command: &mut Command) -> Result<Child, StartError> {
    let child = command.spawn();
    child.map_err(|source| StartError::new(command.as_std().get_program(), source))
}

/// The exit code that a shell gives for how a command ended: its own, or 128 and the signal's number.
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    // Codes are a byte wherever a shell may ask for them.
    u8::try_from(status.code().unwrap_or(1) & 0xff).unwrap_or(1)
}

/// Sends a command a signal. One that has ended needs none.
#[cfg(unix)]
pub fn send(child: &Child, signal: Signal) {
    use rustix::process::{Pid, Signal as Number, kill_process};
    let number = match signal {
        Signal::Interrupt => Number::INT,
        Signal::Terminate => Number::TERM,
        Signal::Hangup => Number::HUP,
    };
    let id = child.id().and_then(|it| i32::try_from(it).ok());
    if let Some(pid) = id.and_then(Pid::from_raw) {
        let _ = kill_process(pid, number);
    }
}

#[cfg(not(unix))]
pub fn send(_: &Child, _: Signal) {}

/// Ends a command: it is told to end, and ended after [`PATIENCE`].
///
/// # Errors
/// Where the system does not tell how it ended.
pub async fn end(child: &mut Child) -> io::Result<ExitStatus> {
    #[cfg(unix)]
    {
        send(child, Signal::Terminate);
        if let Ok(status) = time::timeout(PATIENCE, child.wait()).await {
            return status;
        }
    }
    child.kill().await?;
    child.wait().await
}

/// A command line from its words.
#[must_use]
pub fn command(words: &[impl AsRef<OsStr>]) -> Option<Command> {
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
    fn a_code_is_the_commands_own_or_tells_its_signal() {
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(15)), 143);
    }

    #[tokio::test]
    async fn what_cannot_be_started_has_a_shells_code() {
        for (program, code) in [("/nowhere/to/be/found", 127), ("/", 126)] {
            let error = start(&mut Command::new(program)).unwrap_err();
            assert_eq!(error.exit_code(), code, "{error}");
            assert!(error.to_string().contains(program), "{error}");
        }
    }
}
