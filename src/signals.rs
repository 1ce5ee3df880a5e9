//! Signals that ask the program to end.

use std::io;

#[cfg(unix)]
mod job_control;
#[cfg(unix)]
mod sender;

#[cfg(unix)]
pub use job_control::Stops;
#[cfg(unix)]
pub use sender::Origins;

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C in the terminal.
    Interrupt,
    /// `kill`, or a service manager.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

/// The program's signals, from when this is made: each one is then received here rather than ending
/// the program.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// `None` where whoever started the program wants it to outlive its terminal (`nohup`).
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// Begins to receive signals.
    ///
    /// # Errors
    /// Where the system refuses to install a handler.
    pub fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = if hangup_is_ignored() {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// The next signal.
    pub async fn recv(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = hangup => Signal::Hangup,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Begins to receive signals.
    ///
    /// # Errors
    /// Never on this system.
    pub fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next signal.
    pub async fn recv(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}

/// The program's signals and their senders, as far as the system tells.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Origins(Signals);

#[cfg(not(unix))]
impl Origins {
    /// Begins to receive signals.
    ///
    /// # Errors
    /// Never on this system.
    pub fn new() -> io::Result<Self> {
        Signals::new().map(Self)
    }

    /// The next signal, and whether the terminal sent it.
    pub async fn recv(&mut self) -> (Signal, bool) {
        (self.0.recv().await, true)
    }
}

/// Signals that stop the program, which this system does not have.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Stops;

#[cfg(not(unix))]
impl Stops {
    /// Watches for nothing.
    ///
    /// # Errors
    /// Never on this system.
    pub fn new(_: impl Fn(&dyn Fn()) + Send + 'static) -> io::Result<Self> {
        Ok(Self)
    }
}

/// Whether SIGHUP was set to be ignored when the program started. Installing a handler would undo
/// that. Where the system does not tell, it was not.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    const SIGHUP_BIT: u64 = 1;
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status
                .lines()
                .find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .is_some_and(|mask| mask & SIGHUP_BIT != 0)
}
