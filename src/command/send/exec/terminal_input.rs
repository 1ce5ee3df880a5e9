//! The input of a command on a pseudo-terminal: what is typed on this program's terminal, or nothing.
//!
//! This program's terminal then passes on every key, also Ctrl-C: the pseudo-terminal handles it as the command has set
//! it up. Without a terminal nobody can answer, so a command that reads gets an end of input at once.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use pty_process::{OwnedWritePty, Size};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use crate::process::controlling_terminal;
use crate::signals::Stops;
use crate::terminal::size::size;

/// Interval of ends of input for a command that reads without a terminal here; each read takes one.
const END_EVERY: Duration = Duration::from_millis(100);
/// Interval of checks whether another job still has this program's terminal.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The input of a pseudo-terminal.
pub(super) struct TerminalInput {
    pty: OwnedWritePty,
    /// Another handle of the pseudo-terminal, for the modes that the command has set.
    modes: OwnedFd,
    keyboard: Option<Keyboard>,
    /// Input that is still to be written to it.
    typed: Vec<u8>,
    ends: Interval,
    resized: Signal,
    continued: Signal,
}

impl TerminalInput {
    /// Takes this program's terminal, if it may be read now, until this is dropped.
    pub(super) fn new(pty: OwnedWritePty, modes: OwnedFd) -> io::Result<Self> {
        let mut ends = interval(END_EVERY);
        ends.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let continued = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
        Ok(Self {
            pty,
            modes,
            keyboard: Keyboard::take(),
            typed: Vec::new(),
            ends,
            resized: signal(SignalKind::window_change())?,
            continued: signal(continued)?,
        })
    }

    /// Passes on what is typed, and the terminal's size; ready if a key told the command to end. Cancel safe.
    pub(super) async fn interrupted(&mut self) {
        loop {
            if !self.typed.is_empty() {
                match self.pty.write(&self.typed).await {
                    Ok(written) => _ = self.typed.drain(..written),
                    Err(_) => self.typed.clear(),
                }
                continue;
            }
            tokio::select! {
                read = read(&mut self.keyboard) => match read {
                    Some(typed) => {
                        let tells_to_end = self.tells_to_end(&typed);
                        self.typed = typed;
                        if tells_to_end {
                            return;
                        }
                    }
                    // The terminal is gone.
                    None => self.keyboard = None,
                },
                _ = self.ends.tick(), if self.keyboard.is_none() => self.typed = self.end_of_input(),
                _ = self.resized.recv() => {
                    let (columns, rows) = size();
                    let _ = self.pty.resize(Size::new(rows, columns));
                }
                _ = self.continued.recv() => if let Some(keyboard) = &self.keyboard {
                    keyboard.raw.enter();
                },
            }
        }
    }

    /// Returns whether the pseudo-terminal turns this input into a signal.
    fn tells_to_end(&self, typed: &[u8]) -> bool {
        tcgetattr(&self.modes).is_ok_and(|modes| {
            let keys = [SpecialCodeIndex::VINTR, SpecialCodeIndex::VQUIT];
            let keys = keys.map(|it| modes.special_codes[it]);
            modes.local_modes.contains(LocalModes::ISIG) && typed.iter().any(|it| keys.contains(it))
        })
    }

    /// Returns the key that ends the input; none if the terminal would only echo it.
    fn end_of_input(&self) -> Vec<u8> {
        let Ok(modes) = tcgetattr(&self.modes) else {
            return Vec::new();
        };
        let reads_lines_or_shows = modes.local_modes & (LocalModes::ICANON | LocalModes::ECHO);
        if reads_lines_or_shows == LocalModes::ECHO {
            Vec::new()
        } else {
            vec![modes.special_codes[SpecialCodeIndex::VEOF]]
        }
    }
}

/// Returns what is typed; `None` if nothing can be typed any more.
async fn read(keyboard: &mut Option<Keyboard>) -> Option<Vec<u8>> {
    match keyboard {
        Some(keyboard) => keyboard.read().await,
        None => pending().await,
    }
}

/// This program's terminal, which passes on keys as they are typed.
struct Keyboard {
    /// Read like a pipe, though it is a terminal.
    terminal: Receiver,
    raw: Arc<Raw>,
    _stops: Option<Stops>,
}

impl Keyboard {
    /// Takes the controlling terminal, or else the terminal that stdin is; `None` without one, and while another job
    /// has it.
    fn take() -> Option<Self> {
        let terminal = controlling_terminal().or_else(stdin)?;
        if !is_ours(&terminal) {
            return None;
        }
        let raw = Arc::new(Raw {
            before: tcgetattr(&terminal).ok()?,
            terminal: terminal.try_clone().ok()?,
        });
        let terminal = Receiver::from_owned_fd_unchecked(terminal).ok()?;
        raw.enter();
        let stops = {
            let raw = Arc::clone(&raw);
            Stops::new(move |stop| {
                raw.leave();
                stop();
            })
        };
        Some(Self {
            terminal,
            raw,
            _stops: stops.ok(),
        })
    }

    async fn read(&mut self) -> Option<Vec<u8>> {
        let mut bytes = [0; 4096];
        loop {
            self.terminal.readable().await.ok()?;
            if !is_ours(&self.terminal) {
                // Reading would stop this program: what is typed is for another job.
                sleep(LOOK_AGAIN).await;
                continue;
            }
            match self.terminal.try_read(&mut bytes) {
                Ok(0) => return None,
                Ok(read) => return Some(bytes[..read].to_vec()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.raw.leave();
    }
}

/// Opens the terminal that stdin is once more, so that its reading mode can be changed.
fn stdin() -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    isatty(io::stdin()).then(|| rustix::fs::open("/dev/fd/0", flags, Mode::empty()).ok())?
}

/// Returns whether this program is in the terminal's foreground. A terminal that does not control it has no foreground.
fn is_ours(terminal: impl AsFd) -> bool {
    match tcgetpgrp(terminal) {
        Ok(group) => group == getpgrp(),
        Err(error) => error == Errno::NOTTY,
    }
}

/// A terminal's modes: changed, and restored.
struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Makes the terminal pass on every key. Output is shown as before.
    fn enter(&self) {
        let mut modes = self.before.clone();
        modes.make_raw();
        modes.output_modes = self.before.output_modes;
        self.set(&modes);
    }

    fn leave(&self) {
        self.set(&self.before);
    }

    fn set(&self, modes: &Termios) {
        // A background job that sets the terminal's modes is stopped.
        if is_ours(&self.terminal) {
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, modes);
        }
    }
}
