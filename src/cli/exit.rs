//! Exit codes.

use std::process::ExitCode;

use crate::signals::Signal;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As it should.
    Done,
    /// An error, told on stderr.
    Error,
    /// The command line was wrong.
    Usage,
    /// The operation failed or was cancelled, or `--fail-on` or `--stop-on` matched.
    Failed,
    /// `--timeout` ran out.
    TimedOut,
    /// By SIGINT.
    Interrupted,
    /// By SIGTERM, or because the terminal is gone.
    Terminated,
    /// As the command that was run ended: see `process::exit_code`.
    Child(u8),
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate | Signal::Hangup => Self::Terminated,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
            Exit::TimedOut => 4,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::Child(code) => code,
        })
    }
}
