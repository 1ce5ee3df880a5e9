//! Signals that ask the program to end, and who sent them.
//!
//! A terminal sends Ctrl-C to everything in its foreground: to this program and to a command that it runs. A user's
//! `kill` reaches this program alone. Only the latter is passed on: a command that received Ctrl-C twice might skip its
//! cleanup.

mod job_control;

use std::{io, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::sync::mpsc;

pub(crate) use job_control::Stops;

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C in the terminal.
    Interrupt,
    /// `kill`, or a service manager.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

/// The program's signals. From its creation on, they are received here instead of ending the program.
#[derive(Debug)]
pub(crate) struct Signals {
    signals: mpsc::UnboundedReceiver<(Signal, bool)>,
    handle: Handle,
}

impl Signals {
    /// Starts receiving signals.
    ///
    /// # Errors
    /// If the system refuses to install a handler.
    pub(crate) fn new() -> io::Result<Self> {
        let mut wanted = vec![SIGINT, SIGTERM];
        if !hangup_is_ignored() {
            wanted.push(SIGHUP);
        }
        let mut source = SignalsInfo::<WithOrigin>::new(wanted)?;
        let handle = source.handle();
        let (sender, signals) = mpsc::unbounded_channel();
        // The thread ends with the handle.
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for origin in &mut source {
                    let _ = sender.send(read(&origin));
                }
            })?;
        Ok(Self { signals, handle })
    }

    /// Returns the next signal.
    pub(crate) async fn recv(&mut self) -> Signal {
        self.recv_with_sender().await.0
    }

    /// Returns the next signal, and whether the terminal sent it.
    pub(crate) async fn recv_with_sender(&mut self) -> (Signal, bool) {
        match self.signals.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}

fn read(origin: &Origin) -> (Signal, bool) {
    let signal = match origin.signal {
        SIGINT => Signal::Interrupt,
        SIGHUP => Signal::Hangup,
        _ => Signal::Terminate,
    };
    // If the system does not say who sent it, it is treated as the terminal's.
    (signal, !matches!(origin.cause, Cause::Sent(_)))
}

/// Returns whether SIGHUP was ignored when the program started, which a handler would undo. If the system does
/// not say, it was not.
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
