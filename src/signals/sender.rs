//! Signals, and who sent them.
//!
//! A terminal sends Ctrl-C to all that runs in its foreground: to this program and to a command that it
//! runs. What a user sends with `kill` reaches this program alone. Only the latter is to be passed on:
//! a command that hears Ctrl-C twice may take it for the second one, and leave in haste.

use std::{io, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::{Handle, SignalsInfo, exfiltrator::WithOrigin},
    low_level::siginfo::{Cause, Origin},
};
use tokio::sync::mpsc;

use super::{Signal, hangup_is_ignored};

/// The program's signals and their senders, from when this is made.
#[derive(Debug)]
pub struct Origins {
    signals: mpsc::UnboundedReceiver<(Signal, bool)>,
    handle: Handle,
}

impl Origins {
    /// Begins to receive signals.
    ///
    /// # Errors
    /// Where the system refuses to install a handler.
    pub fn new() -> io::Result<Self> {
        let mut wanted = vec![SIGINT, SIGTERM];
        if !hangup_is_ignored() {
            wanted.push(SIGHUP);
        }
        let mut source = SignalsInfo::<WithOrigin>::new(wanted)?;
        let handle = source.handle();
        let (sender, signals) = mpsc::unbounded_channel();
        // It ends with the handle.
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for origin in &mut source {
                    let _ = sender.send(read(&origin));
                }
            })?;
        Ok(Self { signals, handle })
    }

    /// The next signal, and whether the terminal sent it.
    pub async fn recv(&mut self) -> (Signal, bool) {
        match self.signals.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Origins {
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
    // A system that does not tell is taken to mean that nobody in particular did.
    (signal, !matches!(origin.cause, Cause::Sent(_)))
}
