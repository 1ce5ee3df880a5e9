//! Ctrl-Z and Ctrl-\\: the terminal is restored before the shell gets it back.

use std::{io, thread};

use rustix::process::{getpgrp, getsid};
use signal_hook::consts::{SIGQUIT, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

/// Watches for signals that stop the program or end it at once, until dropped.
#[derive(Debug)]
pub(crate) struct Stops(Handle);

impl Stops {
    /// Starts watching. `around` gets a function that stops the program, to be called when the terminal is restored; it
    /// returns when the program continues.
    ///
    /// # Errors
    /// If the system refuses to install a handler.
    pub(crate) fn new(around: impl Fn(&dyn Fn()) + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTSTP, SIGQUIT])?;
        let handle = signals.handle();
        // The thread ends with the handle.
        let name = thread::Builder::new().name("stops".into());
        name.spawn(move || {
            for signal in &mut signals {
                if signal == SIGQUIT || can_be_continued() {
                    around(&|| _ = emulate_default_handler(signal));
                }
            }
        })?;
        Ok(Self(handle))
    }
}

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Returns whether there is a shell that could say `fg`. The process group that leads its session (as with `ssh -t HOST
/// codechat …`) has none, and the system ignores Ctrl-Z there.
fn can_be_continued() -> bool {
    getsid(None).is_ok_and(|it| it != getpgrp())
}
