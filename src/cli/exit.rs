//! Exit codes.

use std::process::ExitCode;

use crate::signals::Signal;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Done,
    /// An error, printed on stderr.
    Error,
    /// A wrong command line.
    Usage,
    /// The operation failed or was cancelled, or `--fail-on` or `--stop-on` matched.
    Failed,
    /// `--timeout` ran out.
    TimedOut,
    /// SIGINT.
    Interrupted,
    /// SIGTERM, or the terminal is gone.
    Terminated,
    /// The command that was run has ended: see `process::exit_code`.
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
