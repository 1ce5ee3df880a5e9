//! Ctrl-Z and Ctrl-\\: what has been done to the terminal is undone before the shell has it again.

use std::{io, thread};

use rustix::process::{getpgrp, getsid};
use signal_hook::consts::{SIGQUIT, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

/// Watches for signals that stop the program or end it at once, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stops(Handle);

impl Stops {
    /// Begins to watch. `around` is handed what stops the program, to be called when the terminal is as
    /// it was; where the program goes on, that returns.
    ///
    /// # Errors
    /// Where the system refuses to install a handler.
    pub(crate) fn new(around: impl Fn(&dyn Fn()) + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTSTP, SIGQUIT])?;
        let handle = signals.handle();
        // It ends with the handle.
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

/// Whether a shell is above us that could say `fg`. Above the group that leads its session (as with
/// `ssh -t HOST codechat …`) is none, and the system lets Ctrl-Z do nothing there.
fn can_be_continued() -> bool {
    getsid(None).is_ok_and(|it| it != getpgrp())
}
